package registry_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/registry"
)

// TestUnusableCredentials: whatever is wrong with a credential, the error says
// which it is, where its secret stands and why, and never the secret.
func TestUnusableCredentials(t *testing.T) {
	const secret = "hunter2"
	dir := t.TempDir()
	for name, text := range map[string]string{
		"helpers": `{"auths":{"other.test":{"auth":"` + secret + `"}},"credHelpers":{"registry.test":"ecr-login"}}`,
		"auth":    `{"auths":{"registry.test":{"auth":"` + secret + `!"}}}`,
		"text":    secret,
		"account": `{"type":"service_account","client_email":"a@b.test","private_key":"` + secret + `"}`,
		"user":    `{"type":"authorized_user","refresh_token":"` + secret + `"}`,
		"empty":   "",
		"long":    strings.Repeat(secret, 16<<10),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	docker := func(file string) config.Credential {
		return config.Credential{Type: config.DockerConfigFile, Config: config.SecretRef{File: file}}
	}
	google := func(file string) config.Credential {
		return config.Credential{Type: config.GCPCredential, Key: config.SecretRef{File: file}}
	}
	gar := config.Registry{Type: config.GAR, Address: "europe-west3-docker.pkg.dev"}
	for name, tt := range map[string]struct {
		registry config.Registry
		cred     config.Credential
		says     []string
	}{
		"a helper":              {config.Registry{}, docker("helpers"), []string{"config in secret file helpers", "credHelpers", "programs are not run"}},
		"no base64":             {config.Registry{}, docker("auth"), []string{"config in secret file auth", "base64"}},
		"no JSON":               {config.Registry{}, docker("text"), []string{"config in secret file text", "not JSON"}},
		"a key that is none":    {gar, google("account"), []string{"key in secret file account", "private key of a@b.test", "RSA"}},
		"a key of somebody":     {gar, google("user"), []string{"key in secret file user", "authorized_user"}},
		"a key that is text":    {gar, google("text"), []string{"key in secret file text", "not JSON"}},
		"a file that is empty":  {config.Registry{}, docker("empty"), []string{"config: secret file empty: is empty"}},
		"a file too long":       {config.Registry{}, docker("long"), []string{"config: secret file long: too long"}},
		"no file":               {config.Registry{}, docker("none"), []string{"config: secret file none", "no such file"}},
		"a folder":              {config.Registry{}, docker("folder"), []string{"config: secret file folder", "is a directory"}},
		"a link that leads out": {config.Registry{}, docker("away"), []string{"config: secret file away", "escapes"}},
		"no variable": {
			config.Registry{},
			config.Credential{Type: config.BasicCredential, Username: "u", Password: config.SecretRef{Env: "NOT_SET"}},
			[]string{"password: environment variable NOT_SET is not set"},
		},
		"no region": {
			config.Registry{Type: config.ECR},
			config.Credential{Type: config.AWSCredential, AccessKeyID: "AKID", SecretAccessKey: config.SecretRef{File: "text"}},
			[]string{"secretAccessKey in secret file text", "region"},
		},
	} {
		tt.cred.Name = "reader"
		tt.registry.Name = "test"
		if tt.registry.Address == "" {
			tt.registry.Address = "registry.test"
		}
		resolved, err := tt.cred.Resolve(dir, func(string) string { return "" })
		if err == nil {
			_, err = registry.New(tt.registry, resolved, registry.Options{})
		}
		if err == nil || errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("%s: got %v, want an error that waiting does not mend", name, err)
			continue
		}
		for _, want := range append(tt.says, "credential reader") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in %v", name, want, err)
			}
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the secret is shown: %v", name, err)
		}
	}
}
