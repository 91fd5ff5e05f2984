package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

func TestDuration(t *testing.T) {
	for in, want := range map[string]struct {
		d    time.Duration
		text string
	}{
		"30d":    {720 * time.Hour, "30d"},
		"1d12h":  {36 * time.Hour, "36h0m0s"},
		"720h":   {720 * time.Hour, "30d"},
		"90s":    {90 * time.Second, "1m30s"},
		"0d":     {0, "0s"},
		"3650d":  {3650 * 24 * time.Hour, "3650d"},
		"1d0.5h": {24*time.Hour + 30*time.Minute, "24h30m0s"},
	} {
		got, err := config.ParseDuration(in)
		if err != nil || got.Std() != want.d || got.String() != want.text {
			t.Errorf("%q: got %s (%d), %v, want %s", in, got, got, err, want.text)
		}
		if again, err := config.ParseDuration(got.String()); err != nil || again != got {
			t.Errorf("%q: %s reads back as %s, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "d", "30", "-1d", "-1h", "1d-1h", "3651d", "3650d1h", "1d1d", "1 d", "999999h", "99999999999999d"} {
		if got, err := config.ParseDuration(in); err == nil {
			t.Errorf("%q: got %s, want an error", in, got)
		}
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	const value = "hunter2"
	s := config.NewSecret(value)
	holder := struct {
		S config.Secret
		P *config.Secret
		R config.Resolved
	}{S: s, P: &s, R: config.Resolved{Password: s, Token: s}}
	raw, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, shown := range []string{fmt.Sprintf(verb, s), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, &holder)} {
			if strings.Contains(shown, value) || strings.Contains(shown, "68756e74657232") {
				t.Errorf("%s shows %s", verb, shown)
			}
		}
	}
	if strings.Contains(string(raw), value) || s.Reveal() != value {
		t.Errorf("JSON shows %s, Reveal gives %s", raw, s.Reveal())
	}
}

func TestSecretRefResolve(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	for name, content := range map[string]string{
		filepath.Join(dir, "hub"): "pass word\r\n", filepath.Join(dir, "empty"): "\n", outside: "no",
		filepath.Join(dir, "large"): strings.Repeat("x", 64<<10+1),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	env := func(key string) string { return map[string]string{"SET": "value"}[key] }
	tests := []struct {
		name string
		ref  config.SecretRef
		want string // blank: an error
	}{
		{"environment", config.SecretRef{Env: "SET"}, "value"},
		{"unset", config.SecretRef{Env: "UNSET"}, ""},
		{"file", config.SecretRef{File: "hub"}, "pass word"},
		{"empty file", config.SecretRef{File: "empty"}, ""},
		{"large file", config.SecretRef{File: "large"}, ""},
		{"no file", config.SecretRef{File: "none"}, ""},
		{"outside", config.SecretRef{File: "../outside"}, ""},
		{"link outside", config.SecretRef{File: "link"}, ""},
		{"absolute", config.SecretRef{File: outside}, ""},
	}
	for _, tt := range tests {
		got, err := tt.ref.Resolve(dir, env)
		if (err != nil) != (tt.want == "") || got.Reveal() != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got.Reveal(), err, tt.want)
		}
	}
	if got, err := (config.SecretRef{}).Resolve("", env); err != nil || !got.IsZero() {
		t.Errorf("nothing: got %v, %v", got, err)
	}
	cred := config.Credential{Name: "a", Type: config.BasicCredential, Username: "u", Password: config.SecretRef{Env: "SET"}}
	if got, err := cred.Resolve(dir, env); err != nil || got.Password.Reveal() != "value" || got.Username != "u" {
		t.Errorf("credential: got %+v, %v", got, err)
	}
}

func TestRegistryHost(t *testing.T) {
	tests := []struct {
		address string
		host    string
		plain   bool
	}{
		{"", "docker.io", false},
		{"docker.io", "docker.io", false},
		{"https://index.docker.io", "docker.io", false},
		{"registry-1.docker.io:443", "docker.io", false},
		{"Registry.Example.com/", "registry.example.com", false},
		{"https://x.example.com:443", "x.example.com", false},
		{"https://x.example.com:80", "x.example.com:80", false},
		{"http://x.example.com:80", "x.example.com", true},
		{"http://x.example.com:443", "x.example.com:443", true},
		{"x.example.com:5000", "x.example.com:5000", false},
		{"10.0.0.1:5000", "10.0.0.1:5000", false},
		{"192.168.1.1", "192.168.1.1", false},
		{"registry.local", "registry.local", false},
		{"127.0.0.1:5000", "127.0.0.1:5000", true},
		{"localhost:5000", "localhost:5000", true},
		{"https://localhost:5000", "localhost:5000", false},
		{"[::1]:5000", "[::1]:5000", true},
		{"[2001:db8::1]", "[2001:db8::1]", false},
		{"a/b", "", false},
		{"user@host", "", false},
		{"host?x", "", false},
		{"[::1", "", false},
		{"::1", "", false},
		{"a..b", "", false},
		{"https://", "", false},
	}
	for _, tt := range tests {
		r := config.Registry{Address: tt.address}
		if r.Host() != tt.host || r.PlainHTTP() != tt.plain {
			t.Errorf("%q: got %q, plain %t, want %q, %t", tt.address, r.Host(), r.PlainHTTP(), tt.host, tt.plain)
		}
	}
	withTLS := config.Registry{Address: "localhost:5000", TLS: config.TLS{CA: "ca.pem"}}
	if withTLS.PlainHTTP() {
		t.Error("a loopback registry with TLS settings: got plain HTTP")
	}
}

func TestEffective(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		name      string
		defaults  config.Defaults
		rule      config.Rule
		registry  config.Registry
		days      int
		retention string
		onPush    bool
	}{
		{"built in", config.Defaults{}, config.Rule{}, config.Registry{}, 1, "30d", true},
		{
			"defaults",
			config.Defaults{EveryDays: 7, Retention: config.Duration(time.Hour), Webhooks: &no},
			config.Rule{},
			config.Registry{},
			7, "1h0m0s", false,
		},
		{
			"registry over defaults",
			config.Defaults{Webhooks: &no},
			config.Rule{},
			config.Registry{Webhook: config.Webhook{Enabled: &yes}},
			1, "30d", true,
		},
		{
			"rule over all",
			config.Defaults{EveryDays: 7, Webhooks: &yes},
			config.Rule{OnPush: &no, Schedule: config.Schedule{EveryDays: 14}, Retention: config.Duration(time.Minute)},
			config.Registry{Webhook: config.Webhook{Enabled: &yes}},
			14, "1m0s", false,
		},
		{
			"a time of day is daily",
			config.Defaults{EveryDays: 7},
			config.Rule{Schedule: config.Schedule{At: "02:00"}},
			config.Registry{},
			1, "30d", true,
		},
	}
	for _, tt := range tests {
		got := tt.defaults.Effective(tt.rule, tt.registry)
		if got.Schedule.EveryDays != tt.days || got.Retention.String() != tt.retention || *got.OnPush != tt.onPush {
			t.Errorf("%s: got %d, %s, %t", tt.name, got.Schedule.EveryDays, got.Retention, *got.OnPush)
		}
	}
}

func TestWindow(t *testing.T) {
	for in, want := range map[string]struct {
		window config.Window
		text   string
	}{
		"today":     {config.Window{Day: config.Today}, "today"},
		"yesterday": {config.Window{Day: config.Yesterday}, "yesterday"},
		"7d":        {config.Within(7 * 24 * time.Hour), "7d"},
		"30d":       {config.Within(30 * 24 * time.Hour), "30d"},
		"1d12h":     {config.Within(36 * time.Hour), "36h0m0s"},
		"all":       {config.Window{}, "all"},
	} {
		got, err := config.ParseWindow(in)
		if err != nil || got != want.window || got.String() != want.text {
			t.Errorf("%q: got %s, %v, want %s", in, got, err, want.text)
		}
		if again, err := config.ParseWindow(got.String()); err != nil || again != got {
			t.Errorf("%q: %s reads back as %s, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "0d", "0s", "tomorrow", "Today", "-1h", "7 days", "7"} {
		if got, err := config.ParseWindow(in); err == nil {
			t.Errorf("%q: got %s, want an error", in, got)
		}
	}
}
