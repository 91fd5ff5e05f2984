package registry

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// world is every host there is. One of them is the registry; whatever a secret
// is shown to beside it and its token server is a thief.
type world struct {
	t    *testing.T
	port string
	act  func(w http.ResponseWriter, r *http.Request, host string) bool // in place of an honest registry

	mu    sync.Mutex
	asked map[string]int // requests by host
}

const (
	ownHost   = "registry.test"
	ownTokens = "auth.registry.test"
	secret    = "hunter2"
	granted   = "granted-token"
)

func (x *world) at(host string) string { return "http://" + host + ":" + x.port }

func (x *world) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		x.t.Error(err)
	}
	x.mu.Lock()
	x.asked[host]++
	x.mu.Unlock()
	if r.Host != ownHost+":"+x.port && r.Host != ownTokens+":"+x.port {
		shown := fmt.Sprint(r.URL, r.Header, string(body))
		for _, s := range []string{secret, granted, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte("u:" + secret))} {
			if strings.Contains(shown, s) {
				x.t.Errorf("%s was shown %q in %s %s", r.Host, s, r.Method, r.URL)
			}
		}
	}
	if x.act != nil && x.act(w, r, host) {
		return
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/token"):
		_, _ = fmt.Fprintf(w, `{"token":%q}`, granted)
	case r.Header.Get("Authorization") == "Bearer "+granted && host == ownHost:
		_, _ = io.WriteString(w, "{}")
	default:
		x.challenge(w, x.at(ownTokens)+"/token")
	}
}

func (x *world) challenge(w http.ResponseWriter, realms ...string) {
	for _, realm := range realms {
		w.Header().Add("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s",service="x"`, realm))
	}
	w.WriteHeader(http.StatusUnauthorized)
}

// TestHostileServers has registries that want the credential, or the token they
// gave for it, to go elsewhere: by the token server they name, by redirects of
// every step, and by links. Names lead anywhere: nothing but the rules keeps a
// thief from being asked.
func TestHostileServers(t *testing.T) {
	const evil = "evil.test"
	to := func(path, where string, status int) func(*world) func(http.ResponseWriter, *http.Request, string) bool {
		return func(x *world) func(http.ResponseWriter, *http.Request, string) bool {
			return func(w http.ResponseWriter, r *http.Request, host string) bool {
				if host == evil || !strings.Contains(r.URL.Path, path) || path == "/blobs/" && r.Header.Get("Authorization") == "" {
					return false
				}
				http.Redirect(w, r, strings.ReplaceAll(where, "PORT", x.port), status)
				return true
			}
		}
	}
	names := func(realms ...string) func(*world) func(http.ResponseWriter, *http.Request, string) bool {
		return func(x *world) func(http.ResponseWriter, *http.Request, string) bool {
			return func(w http.ResponseWriter, _ *http.Request, host string) bool {
				if host != ownHost {
					return false
				}
				var all []string
				for _, realm := range realms {
					all = append(all, strings.ReplaceAll(realm, "PORT", x.port))
				}
				x.challenge(w, all...)
				return true
			}
		}
	}
	for name, tt := range map[string]struct {
		act      func(*world) func(http.ResponseWriter, *http.Request, string) bool
		identity bool // the login is a token that is posted
		foreign  bool // the other host may be asked, without a secret
	}{
		"realm elsewhere":               {act: names("http://evil.test:PORT/token")},
		"realm that begins alike":       {act: names("http://registry.test.evil.test:PORT/token")},
		"realm that ends alike":         {act: names("http://evilregistry.test:PORT/token")},
		"realm behind a user":           {act: names("http://registry.test:PORT@evil.test:PORT/token")},
		"realm behind a backslash":      {act: names(`http://evil.test:PORT\@registry.test:PORT/token`)},
		"realm without a scheme":        {act: names("//evil.test:PORT/token")},
		"realm of another scheme":       {act: names("ftp://evil.test:PORT/token")},
		"realm in another's case":       {act: names("http://EVIL.test:PORT/token")},
		"realm of a public suffix":      {act: names("http://test:PORT/token")},
		"realm with a final dot":        {act: names("http://evil.test.:PORT/token")},
		"realm that is this machine":    {act: names("http://127.0.0.1:PORT/token")},
		"realm that is a cloud's":       {act: names("http://169.254.169.254/token")},
		"second realm elsewhere":        {act: names("http://auth.registry.test:PORT/token", "http://evil.test:PORT/token")},
		"first realm elsewhere":         {act: names("http://evil.test:PORT/token", "http://auth.registry.test:PORT/token")},
		"token server goes elsewhere":   {act: to("/token", "http://evil.test:PORT/token", http.StatusFound), foreign: true},
		"token server sends the secret": {act: to("/token", "http://evil.test:PORT/token", http.StatusTemporaryRedirect), identity: true},
		"ping goes elsewhere":           {act: to("/v2/", "http://evil.test:PORT/v2/", http.StatusFound), foreign: true},
		"list goes elsewhere":           {act: to("/tags/list", "http://evil.test:PORT/v2/a/tags/list", http.StatusTemporaryRedirect), foreign: true},
		"manifest goes elsewhere":       {act: to("/manifests/", "http://evil.test:PORT/m", http.StatusMovedPermanently), foreign: true},
		"blob goes elsewhere":           {act: to("/blobs/", "http://evil.test:PORT/b", http.StatusSeeOther), foreign: true},
		"blob goes to a part of it":     {act: to("/blobs/", "http://blobs.registry.test:PORT/b", http.StatusTemporaryRedirect), foreign: true},
		"blob goes to a look-alike":     {act: to("/blobs/", "http://registry.test.:PORT/b", http.StatusTemporaryRedirect), foreign: true},
		"blob brings a user along":      {act: to("/blobs/", "http://u@evil.test:PORT/b", http.StatusTemporaryRedirect), foreign: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &world{t: t, asked: map[string]int{}}
			s := httptest.NewServer(x)
			t.Cleanup(s.Close)
			_, x.port, _ = net.SplitHostPort(s.Listener.Addr().String())
			x.act = tt.act(x)
			cred := config.Resolved{Name: "reader", Type: config.BasicCredential, Username: "u", Password: config.NewSecret(secret)}
			if tt.identity {
				file := fmt.Sprintf(`{"auths":{"%s:%s":{"identitytoken":%q}}}`, ownHost, x.port, secret)
				cred = config.Resolved{Name: "reader", Type: config.DockerConfigFile, Config: config.NewSecret(file)}
			}
			c, err := New(config.Registry{Name: "test", Address: x.at(ownHost)}, cred, Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			c.guard.dialer.Resolver, c.guard.dialer.here = allHere(t), true
			ctx := t.Context()
			_ = c.Ping(ctx)
			_, _, _ = c.Tags(ctx, "a", "", 0)
			_, _, _ = c.Manifest(ctx, "a", anyDigest)
			_, _ = c.Config(ctx, "a", anyDigest)
			if body, _, err := c.Blob(ctx, "a", anyDigest); err == nil {
				_, _ = io.Copy(io.Discard, body)
				_ = body.Close()
			}
			if x.asked[ownHost] == 0 {
				t.Error("the registry was not asked")
			}
			for host, n := range x.asked {
				if host != ownHost && host != ownTokens && !tt.foreign {
					t.Errorf("%s was asked %d times", host, n)
				}
			}
		})
	}
}

// The token server of the registry's own domain is asked, and what it gives is
// used: what the table above keeps out is not all there is.
func TestHonestServer(t *testing.T) {
	x := &world{t: t, asked: map[string]int{}}
	s := httptest.NewServer(x)
	t.Cleanup(s.Close)
	_, x.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	c, err := New(config.Registry{Name: "test", Address: x.at(ownHost)}, user("u", secret), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.guard.dialer.Resolver, c.guard.dialer.here = allHere(t), true
	if err := c.Ping(t.Context()); err != nil || x.asked[ownTokens] != 1 {
		t.Errorf("got %v, the token server was asked %d times", err, x.asked[ownTokens])
	}
}
