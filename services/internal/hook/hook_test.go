package hook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const master = "0123456789abcdef0123456789abcdef"

func testKey(t *testing.T) Key {
	t.Helper()
	k, err := NewKey(config.NewSecret(master))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestDerive(t *testing.T) {
	k := testKey(t)
	got := k.Derive("hub").Reveal()
	// Fixed for ever: registries are configured with it.
	if want := "x7ubdgsky2diz57qixtjzyhwoollyerx"; got != want {
		t.Errorf("secret %s, want %s", got, want)
	}
	if k.Derive("local").Reveal() == got {
		t.Error("two registries have one secret")
	}
	if text := fmt.Sprintf("%v %+v %#v %x %v %#v", k, k, k, k, Secrets{Key: k}, Secrets{Key: k}); strings.Contains(text, master) || strings.Contains(text, fmt.Sprintf("%x", master)) {
		t.Errorf("the key prints: %s", text)
	}
}

func TestSecretOf(t *testing.T) {
	getenv := func(name string) string { return map[string]string{"HOOK": "configured"}[name] }
	withKey, without := Secrets{Key: testKey(t), Getenv: getenv}, Secrets{Getenv: getenv}
	configured := config.Registry{Name: "hub", Webhook: config.Webhook{Secret: config.SecretRef{Env: "HOOK"}}}
	missing := config.Registry{Name: "hub", Webhook: config.Webhook{Secret: config.SecretRef{Env: "NONE"}}}
	for _, tt := range []struct {
		name     string
		secrets  Secrets
		registry config.Registry
		want     string
		err      bool
	}{
		{"configured", withKey, configured, "configured", false},
		{"configured, no key", without, configured, "configured", false},
		{"derived", withKey, config.Registry{Name: "hub"}, testKey(t).Derive("hub").Reveal(), false},
		{"configured but missing is never derived", withKey, missing, "", true},
		{"nothing to derive from", without, config.Registry{Name: "hub"}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.secrets.Of(tt.registry)
			if (err != nil) != tt.err || got.Reveal() != tt.want {
				t.Errorf("got %s, %v; want %s", got.Reveal(), err, tt.want)
			}
		})
	}
}

func TestURL(t *testing.T) {
	for _, tt := range []struct{ base, want string }{
		{"http://127.0.0.1:8081", "http://127.0.0.1:8081/hooks/hub/a%2Fb%20c"},
		{"https://example.com/in/", "https://example.com/in/hooks/hub/a%2Fb%20c"},
		{"example.com", ""},
		{"ftp://example.com", ""},
		{"", ""},
	} {
		got, err := URL(tt.base, "hub", config.NewSecret("a/b c"))
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("URL(%q) = %q, %v; want %q", tt.base, got, err, tt.want)
		}
	}
}

func TestLoadKey(t *testing.T) {
	dir := t.TempDir()
	keys := make(chan Key)
	const services = 8
	for range services {
		go func() {
			k, err := LoadKey(dir, config.Secret{})
			if err != nil {
				t.Error(err)
			}
			keys <- k
		}()
	}
	first := <-keys
	for range services - 1 {
		if k := <-keys; k != first {
			t.Error("two services made two keys")
		}
	}
	if first.IsZero() {
		t.Error("no key was made")
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}
	if rest, err := filepath.Glob(filepath.Join(dir, "*.*.*")); err != nil || len(rest) != 0 {
		t.Errorf("left behind: %v, %v", rest, err)
	}
	again, err := LoadKey(dir, config.Secret{})
	if err != nil || again != first {
		t.Errorf("another start has another key: %v", err)
	}
	if k, err := LoadKey(dir, config.NewSecret(master)); err != nil || k != testKey(t) {
		t.Errorf("configured key: %v", err)
	}
	if _, err := LoadKey("", config.Secret{}); err == nil {
		t.Error("neither key nor folder: no error")
	}
	if _, err := LoadKey(dir, config.NewSecret("short")); err == nil {
		t.Error("short key: no error")
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(dir, config.Secret{}); err == nil {
		t.Error("empty key file: no error, and perhaps a new key")
	}
}
