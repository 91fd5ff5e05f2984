package registry

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// TestRealms has a registry behind TLS name its token server: its own host, one
// of its domain, or one that the configuration names get the credential; all
// others, and all without TLS, are refused by a name and a setting.
func TestRealms(t *testing.T) {
	for name, tt := range map[string]struct {
		realm string
		named []string // tokenServers
		says  string   // blank: it is asked
	}{
		"its own host":              {"https://registry.test/token", nil, ""},
		"of its domain":             {"https://auth.registry.test/token", nil, ""},
		"named":                     {"https://auth.other.test/token", []string{"Auth.other.test"}, ""},
		"named with its port":       {"https://auth.other.test/token", []string{"auth.other.test:443"}, ""},
		"elsewhere":                 {"https://auth.other.test/token", nil, "the token server auth.other.test does not belong to registry.test"},
		"elsewhere, another named":  {"https://auth.other.test/token", []string{"other.test"}, "let tokenServers of the registry name it"},
		"at another port than that": {"https://auth.other.test:8443/token", []string{"auth.other.test"}, "does not belong"},
		"without TLS":               {"http://auth.registry.test/token", nil, "does not use TLS"},
		"named, without TLS":        {"http://auth.other.test/token", []string{"auth.other.test"}, "does not use TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			noEnvironment(t)
			p := &connectProxy{}
			proxy, ca := p.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, password, _ := r.BasicAuth()
				switch {
				case strings.HasSuffix(r.URL.Path, "/token"):
					if password != secret || r.TLS == nil {
						t.Errorf("the token server was shown %q", password)
					}
					_, _ = fmt.Fprintf(w, `{"token":%q}`, granted)
				case r.Header.Get("Authorization") != "Bearer "+granted:
					w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="x"`, tt.realm))
					w.WriteHeader(http.StatusUnauthorized)
				}
			}), "registry.test", "auth.registry.test", "auth.other.test")
			cfg := config.Registry{Name: "test", Address: "registry.test", Proxy: proxy.String(), TLS: config.TLS{CA: ca}, TokenServers: tt.named}
			c, err := New(cfg, user("u", secret), Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			err = c.Ping(t.Context())
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v, want an error that says %q", err, tt.says)
			}
			if diff := cmp.Diff([]string{"registry.test:443"}, p.asked()); diff != "" {
				t.Errorf("asked were (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDowngrades has a registry behind TLS send what it is asked to plain HTTP:
// nothing follows.
func TestDowngrades(t *testing.T) {
	for _, to := range []string{"http://registry.test/b", "http://blobs.elsewhere.test/b"} {
		noEnvironment(t)
		p := &connectProxy{}
		proxy, ca := p.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.TLS == nil {
				t.Errorf("%s was asked in plain HTTP, with %q", r.Host, r.Header.Get("Authorization"))
			}
			if strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			}
		}), "registry.test")
		cfg := config.Registry{Name: "test", Address: "registry.test", Proxy: proxy.String(), TLS: config.TLS{CA: ca}}
		c, err := New(cfg, user("u", secret), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		_, err = c.Config(t.Context(), "a", anyDigest)
		if strings.Contains(to, "elsewhere") && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "redirect to http://blobs.elsewhere.test")) {
			t.Errorf("to %s: got %v, want a refusal", to, err)
		}
	}
}
