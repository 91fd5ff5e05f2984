package registry

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// keyFile is a service account's key.
func keyFile(t *testing.T, tokenURI string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "reader@proj.iam.gserviceaccount.com", "private_key_id": "k1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})), "token_uri": tokenURI,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

func gcp(key string) config.Resolved {
	return config.Resolved{Name: "reader", Type: config.GCPCredential, Key: config.NewSecret(key)}
}

// TestServiceAccount exchanges a signed request for a token, as
// https://developers.google.com/identity/protocols/oauth2/service-account
// describes it, and logs in with that.
func TestServiceAccount(t *testing.T) {
	var tokens atomic.Int64
	holds, status := 3600, http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/token":
			if err := r.ParseForm(); err != nil || r.Form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" ||
				strings.Count(r.Form.Get("assertion"), ".") != 2 {
				t.Errorf("got %v, %v", r.Form, err)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":%d,"token_type":"Bearer","error":"invalid_grant"}`, tokens.Add(1), holds)
		default:
			if u, p, _ := r.BasicAuth(); u != "oauth2accesstoken" || p != fmt.Sprintf("token-%d", tokens.Load()) {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
			}
		}
	}))
	t.Cleanup(s.Close)
	cfg := config.Registry{Name: "test", Type: config.GAR, Address: s.URL}
	ping := func() error {
		c, err := New(cfg, gcp(keyFile(t, s.URL+"/token")), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return errors.Join(c.Ping(t.Context()), c.Ping(t.Context()), c.Ping(t.Context()))
	}
	if err := ping(); err != nil || tokens.Load() != 1 {
		t.Errorf("got %v, %d tokens, want 1", err, tokens.Load())
	}
	holds = 299 // less than it is renewed before
	if err := ping(); err != nil || tokens.Load() != 4 {
		t.Errorf("got %v, %d tokens, want one for each request", err, tokens.Load())
	}
	status = http.StatusBadRequest
	if err := ping(); !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "reader@proj") {
		t.Errorf("refused: got %v", err)
	}
}

func TestServiceAccountKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		key  string
		want error
	}{
		"good":              {keyFile(t, ""), nil},
		"no JSON":           {"-----BEGIN", ErrInvalid},
		"another kind":      {strings.Replace(keyFile(t, ""), "service_account", "authorized_user", 1), ErrInvalid},
		"runs programs":     {`{"type":"external_account","credential_source":{"executable":{"command":"x"}}}`, ErrInvalid},
		"sends it away":     {keyFile(t, "https://evil.example.com/token"), ErrInvalid},
		"sends it in clear": {keyFile(t, "http://oauth2.googleapis.com/token"), ErrInvalid},
		"looks alike":       {keyFile(t, "https://oauth2.googleapis.com.evil.com/token"), ErrInvalid},
	} {
		_, err := New(config.Registry{Name: "test", Type: config.GAR, Address: "europe-west3-docker.pkg.dev"}, gcp(tt.key), Options{})
		if !errors.Is(err, tt.want) || err != nil && strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// A registry that is not Google's gets the key as a password, as some mirrors
// take it.
func TestKeyAsPassword(t *testing.T) {
	key := keyFile(t, "")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != "_json_key" || p != key {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	c, err := New(config.Registry{Name: "test", Address: s.URL}, gcp(key), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestGoogleIsAway: a token service that does not answer says nothing against
// the key.
func TestGoogleIsAway(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"broken":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") },
		"hangs up": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				answer(w, r)
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/realm"`)
			w.WriteHeader(http.StatusUnauthorized)
		}))
		t.Cleanup(s.Close)
		c, err := New(config.Registry{Name: "test", Type: config.GAR, Address: s.URL}, gcp(keyFile(t, s.URL+"/token")), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if err := c.Ping(t.Context()); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
	key := strings.Replace(keyFile(t, ""), "PRIVATE KEY-----\\n", "PRIVATE KEY-----\\nhunter2", 1)
	_, err := New(config.Registry{Name: "test", Type: config.GAR, Address: "europe-west3-docker.pkg.dev"}, gcp(key), Options{})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "credential reader: ") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a damaged key: got %v, want ErrInvalid that names the credential", err)
	}
}
