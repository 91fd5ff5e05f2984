package registry_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/registry"
)

func basic(password string) config.Resolved {
	return config.Resolved{Name: "reader", Type: config.BasicCredential, Username: "u", Password: config.NewSecret(password)}
}

func TestBasicAuth(t *testing.T) {
	h, _ := store(t)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != "u" || p != "right" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	docker := fmt.Sprintf(`{"auths":{%q:{"auth":"dTpyaWdodA=="}}}`, strings.TrimPrefix(s.URL, "http://"))
	for name, cred := range map[string]config.Resolved{
		"basic":         basic("right"),
		"token":         {Type: config.TokenCredential, Username: "u", Token: config.NewSecret("right")},
		"docker config": {Type: config.DockerConfigFile, Config: config.NewSecret(docker)},
	} {
		c := client(t, s, cred)
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("%s: ping: %v", name, err)
		}
		if _, err := c.Head(t.Context(), "acme/app", "v1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, cred := range map[string]config.Resolved{"wrong": basic("wrong"), "none": {}} {
		if _, err := client(t, s, cred).Head(t.Context(), "acme/app", "v1"); !errors.Is(err, registry.ErrUnauthorized) {
			t.Errorf("%s: got %v, want ErrUnauthorized", name, err)
		}
	}
}

// tokens is a registry with a token server at its own address. Tokens hold
// for one repository, and until generation changes.
type tokens struct {
	handler    http.Handler
	generation atomic.Int64
	issued     atomic.Int64
}

func (s *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/token" {
		if u, p, ok := r.BasicAuth(); ok && (u != "u" || p != "right") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.issued.Add(1)
		_, _ = fmt.Fprintf(w, `{"access_token":"%s %d"}`, r.URL.Query().Get("scope"), s.generation.Load())
		return
	}
	scope := "registry:catalog:*"
	if name, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/"); ok {
		scope = "repository:" + name + ":pull"
	}
	if r.Header.Get("Authorization") != fmt.Sprintf("Bearer %s %d", scope, s.generation.Load()) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, r.Host))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.handler.ServeHTTP(w, r)
}

func TestTokenAuth(t *testing.T) {
	h, _ := store(t)
	server := &tokens{handler: h}
	s := serve(t, server)
	for name, cred := range map[string]config.Resolved{"basic": basic("right"), "anonymous": {}} {
		c := client(t, s, cred)
		server.issued.Store(0)
		for range 3 {
			if _, err := c.Head(t.Context(), "acme/app", "v1"); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if got := server.issued.Load(); got != 1 {
			t.Errorf("%s: got %d tokens, want 1", name, got)
		}
		server.generation.Add(1) // the token expires
		if _, err := c.Head(t.Context(), "acme/app", "v1"); err != nil {
			t.Errorf("%s: after the token expired: %v", name, err)
		}
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("%s: ping: %v", name, err)
		}
	}
	_, err := client(t, s, basic("wrong")).Head(t.Context(), "acme/app", "v1")
	if !errors.Is(err, registry.ErrUnauthorized) || !strings.Contains(err.Error(), "credential reader") {
		t.Errorf("wrong password: got %v, want ErrUnauthorized", err)
	}
}

func TestForeignRealm(t *testing.T) {
	thief := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a request with %q went to another host", r.Header.Get("Authorization"))
	}))
	for _, realm := range []string{
		"https://evil.example.com/token", "http://169.254.169.254/token", "", "x",
		"https://u:p@127.0.0.1/token", thief.URL + "/token",
	} {
		s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q`, realm))
			w.WriteHeader(http.StatusUnauthorized)
		}))
		if err := client(t, s, basic("right")).Ping(t.Context()); !errors.Is(err, registry.ErrInvalid) || strings.Contains(err.Error(), "right") {
			t.Errorf("realm %q: got %v, want an error", realm, err)
		}
	}
}

func TestRedirectLosesCredential(t *testing.T) {
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("the credential went to another host")
		}
		_, _ = w.Write([]byte("{}"))
	}))
	s := serve(t, answer(func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok {
			t.Error("the registry itself got no credential")
		}
		http.Redirect(w, r, other.URL+"/blob?signature=hunter2", http.StatusTemporaryRedirect)
	}))
	if _, err := client(t, s, basic("right")).Config(t.Context(), "a", digest); err != nil {
		t.Fatal(err)
	}
	other.Close()
	_, err := client(t, s, basic("right")).Config(t.Context(), "a", digest)
	if !errors.Is(err, registry.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want ErrUnavailable without the query", err)
	}
}

func TestTLS(t *testing.T) {
	h, _ := store(t)
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		tls  config.TLS
		want error
	}{
		"unknown authority": {config.TLS{}, registry.ErrUnavailable},
		"known authority":   {config.TLS{CA: ca}, nil},
		"any certificate":   {config.TLS{InsecureSkipVerify: true}, nil},
	} {
		c := clientFor(t, config.Registry{Name: "test", Address: s.URL, TLS: tt.tls}, config.Resolved{})
		if _, err := c.Head(t.Context(), "acme/app", "v1"); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	// An https:// address is never spoken to in plain HTTP.
	plain := serve(t, h)
	c := clientFor(t, config.Registry{Name: "test", Address: strings.Replace(plain.URL, "http:", "https:", 1)}, config.Resolved{})
	if err := c.Ping(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("plain server behind https://: got %v, want ErrUnavailable", err)
	}
}

func TestDockerConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		want error
		says string
	}{
		"base64":     {`{"auths":{"registry.test":{"auth":"dTpw"}}}`, nil, ""},
		"plain":      {`{"auths":{"https://registry.test":{"username":"u","password":"p"}}}`, nil, ""},
		"identity":   {`{"auths":{"registry.test":{"identitytoken":"x"}}}`, nil, ""},
		"helper":     {`{"auths":{"other.test":{"auth":"dTpw"}},"credHelpers":{"registry.test":"ecr-login"}}`, registry.ErrUnsupported, "ecr-login"},
		"store":      {`{"auths":{"registry.test":{}},"credsStore":"desktop"}`, registry.ErrUnsupported, "desktop"},
		"other host": {`{"auths":{"registry.test.evil.com":{"auth":"dTpw"}}}`, registry.ErrInvalid, "registry.test"},
		"no base64":  {`{"auths":{"registry.test":{"auth":"hunter2!"}}}`, registry.ErrInvalid, "registry.test"},
		"no JSON":    {`hunter2`, registry.ErrInvalid, "JSON"},
	} {
		cred := config.Resolved{Name: "file", Type: config.DockerConfigFile, Config: config.NewSecret(tt.file)}
		c, err := registry.New(config.Registry{Name: "test", Address: "registry.test"}, cred, registry.Options{})
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, tt.want) || err != nil && (!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: got %v, want %v that says %q", name, err, tt.want, tt.says)
		}
	}
}

// TestServicePrincipal logs in at Azure's token server with a client id and
// secret: https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
func TestServicePrincipal(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/oauth2/token":
			u, p, _ := r.BasicAuth()
			scope := r.URL.Query().Get("scope")
			if u != "client-id" || p != "client-secret" || r.URL.Query().Get("service") != "x.azurecr.io" {
				t.Errorf("got %q for %q", u, scope)
			}
			_, _ = fmt.Fprintf(w, `{"access_token":%q}`, scope)
		case r.Header.Get("Authorization") == "Bearer repository:acme/app:metadata_read" && r.URL.Path == "/acr/v1/acme/app/_tags":
			_, _ = w.Write([]byte(`{"tags":[{"name":"1","digest":"` + digest + `"}]}`))
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/oauth2/token",service="x.azurecr.io"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	c := clientFor(t, config.Registry{Name: "test", Type: config.ACR, Address: s.URL},
		config.Resolved{Type: config.AzureCredential, Username: "client-id", Password: config.NewSecret("client-secret")})
	tags, _, err := c.Tags(t.Context(), "acme/app", "", 0)
	if err != nil || len(tags) != 1 || tags[0].Digest != digest {
		t.Errorf("got %v, %v", tags, err)
	}
}

// Quay takes an OAuth token as the password of one name.
func TestQuayToken(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != "$oauthtoken" || p != "oauth" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	c := clientFor(t, config.Registry{Name: "test", Type: config.Quay, Address: s.URL},
		config.Resolved{Type: config.TokenCredential, Token: config.NewSecret("oauth")})
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
