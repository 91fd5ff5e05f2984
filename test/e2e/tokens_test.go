package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/test/harness"
)

// tokenServer signs the tokens that a registry believes, as
// https://distribution.github.io/distribution/spec/auth/jwt/ describes them.
type tokenServer struct {
	t    *testing.T
	key  *rsa.PrivateKey
	cert *x509.Certificate

	mu     sync.Mutex
	stale  bool           // tokens have expired when they are given
	asked  map[string]int // by scope
	failed int            // logins that were refused
}

const (
	tokenService = "registry.end-to-end"
	tokenIssuer  = "issuer.end-to-end"
	forbidden    = "team/secret" // which nobody may pull
)

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scope := r.URL.Query().Get("scope")
	user, password, _ := r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	if user != "reader" || password != "right" || r.URL.Query().Get("service") != tokenService {
		s.failed++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.asked[scope]++
	// The first token of each scope has expired, where that is asked for.
	expired := s.stale && s.asked[scope] == 1
	_, _ = fmt.Fprintf(w, `{"token":%q,"expires_in":300}`, s.sign(scope, expired))
}

func (s *tokenServer) sign(scope string, expired bool) string {
	s.t.Helper()
	now := time.Now()
	if expired {
		now = now.Add(-time.Hour)
	}
	access := []map[string]any{}
	if kind, rest, ok := strings.Cut(scope, ":"); ok {
		name, action, _ := strings.Cut(rest, ":")
		if name != forbidden {
			access = append(access, map[string]any{"type": kind, "name": name, "actions": strings.Split(action, ",")})
		}
	}
	encode := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			s.t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := encode(map[string]any{"typ": "JWT", "alg": "RS256", "x5c": []string{base64.StdEncoding.EncodeToString(s.cert.Raw)}}) + "." +
		encode(map[string]any{
			"iss": tokenIssuer, "aud": tokenService, "sub": "reader", "jti": rand.Text(), "access": access,
			"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		})
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		s.t.Error(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// count is how often tokens of a scope were asked for.
func (s *tokenServer) count(scope string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[scope]
}

// forget begins to count anew; the first tokens from now on have expired.
func (s *tokenServer) forget(stale bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.stale = map[string]int{}, stale
}

// TestTokenServer reads a registry that believes tokens only: its catalog, its
// tags, manifests and layers, each with a token of its own scope.
func TestTokenServer(t *testing.T) {
	harness.EndToEnd(t)
	a := newAuthority(t)
	s := &tokenServer{t: t, asked: map[string]int{}}
	s.key, s.cert = a.issue("tokens", a)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	r := harness.StartRegistry(t, harness.RegistryOptions{})
	files := func(version string) map[string]string { return map[string]string{"app/VERSION": version} }
	base := harness.Debian(t, packages...).Image(t)
	app := r.Push(t, "team/app:1", harness.Append(t, base, harness.Files(t, files("1")), "COPY VERSION /app/")).String()
	r.Push(t, forbidden+":1", harness.Append(t, base, harness.Files(t, files("2")), "COPY VERSION /app/"))
	believes := harness.Token{Realm: strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/token", Service: tokenService, Issuer: tokenIssuer, Roots: a.file("authority.crt")}
	r.Restart(t, harness.RegistryOptions{Token: believes})
	in := &installation{t: t, registry: r, data: t.TempDir(), env: []string{"RIGHT=right", "WRONG=wrong"}}
	in.config = filepath.Join(t.TempDir(), "landwaiter.yaml")
	in.console, in.hooks = "http://"+free(t), "http://"+free(t)
	in.write(fmt.Sprintf(`credentials:
  - {name: reader, type: basic, username: reader, password: {env: RIGHT}}
  - {name: stranger, type: basic, username: reader, password: {env: WRONG}}
registries:
  - {name: tokens, address: "http://%[1]s", credential: reader}
  - {name: wrong, address: "http://%[1]s", credential: stranger}
rules:
  - {name: all, registry: tokens, repositories: ["team/a*"], schedule: {everyDays: 365}}
`, r.Host))
	in.start()
	try := func(code int, says []string, args ...string) {
		t.Helper()
		out := in.command(append([]string{"registries", "test"}, args...)...)
		if out.Code != code {
			t.Errorf("%v: code %d, want %d", args, out.Code, code)
		}
		for _, want := range says {
			if !strings.Contains(out.Stdout, want) {
				t.Errorf("%v: no %q in\n%s%s", args, want, out.Stdout, out.Stderr)
			}
		}
		if strings.Contains(out.Stdout+out.Stderr, `"right"`) || strings.Contains(out.Stdout+out.Stderr, "eyJ") {
			t.Errorf("%v: a secret is shown", args)
		}
	}
	in.reported(app, 6) // catalog, HEAD, manifest, configuration and layer, by the rule's first sweep
	if s.count("registry:catalog:*") == 0 || s.count("repository:team/app:pull") == 0 {
		t.Errorf("tokens were asked for %v", s.asked)
	}

	s.forget(true)
	try(0, []string{"2 repositories", "1 tag in team/app", "team/app:1 is " + app}, "tokens", "--repository", "team/app")
	for _, scope := range []string{"registry:catalog:*", "repository:team/app:pull"} {
		if n := s.count(scope); n != 2 {
			t.Errorf("of scope %s %d tokens were asked for, want one that has expired and one more", scope, n)
		}
	}

	s.forget(false)
	try(1, []string{"unauthorized with credential reader"}, "tokens", "--repository", forbidden)
	if n := s.count("repository:" + forbidden + ":pull"); n == 0 || n > 4 { // two logins, each with one renewal
		t.Errorf("a token that does not suffice was asked for %d times", n)
	}
	try(1, []string{"unauthorized with credential stranger"}, "wrong")

	believes.Realm = "http://tokens.elsewhere.test/token"
	r.Restart(t, harness.RegistryOptions{Token: believes})
	try(1, []string{"the token server tokens.elsewhere.test does not belong to " + r.Host, "tokenServers"}, "tokens")
	if log := in.up.Stderr(); strings.Contains(log, `"right"`) || strings.Contains(log, "eyJ") {
		t.Error("the log shows a secret")
	}
}
