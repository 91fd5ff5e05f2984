package registry

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const proxyLogin = "porter:open-sesame"

// noEnvironment takes the proxies of the machine that runs the test away.
func noEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
}

// useAll goes every way there is to a registry: login, lists and a blob.
func useAll(t *testing.T, c *Client) error {
	t.Helper()
	ctx := t.Context()
	_, _, errCatalog := c.Catalog(ctx, nil, "", 0)
	_, _, errTags := c.Tags(ctx, "a", "", 0)
	body, _, errBlob := c.Blob(ctx, "a", anyDigest)
	if errBlob == nil {
		_, errBlob = io.Copy(io.Discard, body)
		errBlob = errors.Join(errBlob, body.Close())
	}
	return errors.Join(c.Ping(ctx), errCatalog, errTags, errBlob)
}

// TestProxy has everything that a registry is asked, its token server and where
// its blobs are, go by the proxy that the registry or the environment names.
func TestProxy(t *testing.T) {
	for name, tt := range map[string]struct {
		env     string // variable that names the proxy; blank: the registry does
		address string
		login   string
		port    string // of what the proxy is asked for
	}{
		"of the registry, TLS":               {"", "registry.test", "", ":443"},
		"of the registry, plain":             {"", "http://registry.test", "", ""},
		"of HTTPS_PROXY, with a login":       {"HTTPS_PROXY", "registry.test", proxyLogin, ":443"},
		"of HTTP_PROXY, plain, with a login": {"HTTP_PROXY", "http://registry.test", proxyLogin, ""},
	} {
		t.Run(name, func(t *testing.T) {
			noEnvironment(t)
			p := &connectProxy{login: tt.login}
			proxy, ca := p.start(t, tokenSite(t), "registry.test", "auth.registry.test", "blobs.elsewhere.test")
			cfg := config.Registry{Name: "test", Address: tt.address}
			if !cfg.PlainHTTP() {
				cfg.TLS.CA = ca
			}
			if tt.env == "" {
				cfg.Proxy = proxy.String()
			} else {
				user, password, _ := strings.Cut(tt.login, ":")
				proxy.User = url.UserPassword(user, password)
				t.Setenv(tt.env, proxy.String())
			}
			logs, seen := observer.New(zap.DebugLevel)
			c, err := New(cfg, user("u", secret), Options{Logger: zap.New(logs)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			if err := useAll(t, c); err != nil {
				t.Fatal(err)
			}
			want := []string{"auth.registry.test" + tt.port, "blobs.elsewhere.test" + tt.port, "registry.test" + tt.port}
			if diff := cmp.Diff(want, p.asked()); diff != "" {
				t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
			}
			for _, entry := range seen.All() {
				if shown := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(shown, "open-sesame") || strings.Contains(shown, secret) {
					t.Errorf("the log shows a secret: %s", shown)
				}
			}
		})
	}
}

// TestNoProxy asks what is named without a proxy, be it the registry's or the
// environment's, and nothing else.
func TestNoProxy(t *testing.T) {
	env := func(name, value string) map[string]string {
		return map[string]string{"HTTPS_PROXY": "http://proxy.test:3128", name: value}
	}
	for name, tt := range map[string]struct {
		cfg     config.Registry
		env     map[string]string
		address string
		want    bool // a proxy
	}{
		"none at all":               {config.Registry{}, nil, "https://registry.test/", false},
		"the environment's":         {config.Registry{}, env("", ""), "https://registry.test/", true},
		"not in NO_PROXY":           {config.Registry{}, env("NO_PROXY", "other.test"), "https://registry.test/", true},
		"in NO_PROXY":               {config.Registry{}, env("NO_PROXY", "registry.test"), "https://registry.test/", false},
		"in NO_PROXY, by domain":    {config.Registry{}, env("no_proxy", ".test"), "https://registry.test/", false},
		"in NO_PROXY, by network":   {config.Registry{}, env("NO_PROXY", "10.0.0.0/8"), "https://10.1.2.3:5000/", false},
		"in noProxy":                {config.Registry{NoProxy: []string{"registry.test"}}, env("", ""), "https://registry.test/", false},
		"in both":                   {config.Registry{NoProxy: []string{"registry.test"}}, env("NO_PROXY", "other.test"), "https://other.test/", false},
		"all in noProxy":            {config.Registry{NoProxy: []string{"*"}}, env("", ""), "https://registry.test/", false},
		"another in noProxy":        {config.Registry{NoProxy: []string{"blobs.test"}}, env("", ""), "https://registry.test/", true},
		"another port in noProxy":   {config.Registry{NoProxy: []string{"registry.test:5000"}}, env("", ""), "https://registry.test/", true},
		"this machine":              {config.Registry{}, env("", ""), "https://localhost/", false},
		"own":                       {config.Registry{Proxy: "http://p.test:1"}, nil, "https://registry.test/", true},
		"own, in noProxy":           {config.Registry{Proxy: "http://p.test:1", NoProxy: []string{".registry.test"}}, nil, "https://auth.registry.test/", false},
		"own, not by NO_PROXY":      {config.Registry{Proxy: "http://p.test:1"}, env("NO_PROXY", "*"), "https://registry.test/", true},
		"own, this machine":         {config.Registry{Proxy: "http://p.test:1"}, nil, "http://localhost:5000/", true},
		"own, this machine, listed": {config.Registry{Proxy: "http://p.test:1", NoProxy: []string{"localhost"}}, nil, "http://localhost:5000/", false},
	} {
		t.Run(name, func(t *testing.T) {
			noEnvironment(t)
			for k, v := range tt.env {
				if k != "" {
					t.Setenv(k, v)
				}
			}
			p, err := newProxies(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(tt.address)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.of(u); err != nil || (got != nil) != tt.want {
				t.Errorf("got %v, %v, want one: %t", got, err, tt.want)
			}
		})
	}
}

// TestProxyErrors: a proxy that is down, or will not let us through, is named
// in the error, with where it stands and what to do; its login is not.
func TestProxyErrors(t *testing.T) {
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := "http://porter:open-sesame@" + closed.Addr().String()
	_ = closed.Close()
	for name, tt := range map[string]struct {
		login  string // that the proxy wants
		refuse int    // status of all its answers
		down   bool
		own    bool
		user   string // in the environment's URL
		says   []string
	}{
		"down":              {down: true, user: "porter", says: []string{"(HTTPS_PROXY) cannot be used", "connection refused", "see that it runs"}},
		"own is down":       {down: true, own: true, says: []string{"(the registry's proxy setting) cannot be used", "connection refused"}},
		"wants a login":     {login: proxyLogin, says: []string{"status 407", "asks for a login", "set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"}},
		"own wants a login": {login: proxyLogin, own: true, says: []string{"status 407", "leave the registry's proxy out"}},
		"wants another":     {login: proxyLogin, user: "stranger", says: []string{"status 407", "does not take the user and the password in HTTPS_PROXY"}},
		"forbids it":        {refuse: http.StatusForbidden, user: "porter", says: []string{"does not let registry.test", "status 403", "noProxy"}},
	} {
		for _, scheme := range []string{"https", "http"} {
			if scheme == "http" && tt.refuse != 0 {
				continue // of plain HTTP a proxy's 403 cannot be told from the registry's
			}
			t.Run(name+" "+scheme, func(t *testing.T) {
				noEnvironment(t)
				p := &connectProxy{login: tt.login, refuse: tt.refuse}
				proxy, _ := p.start(t, tokenSite(t), "registry.test")
				if tt.down {
					proxy, _ = url.Parse(down)
				}
				proxy.User = nil
				cfg := config.Registry{Name: "test", Address: scheme + "://registry.test"}
				if tt.own {
					cfg.Proxy = proxy.String()
				} else {
					if tt.user != "" {
						proxy.User = url.UserPassword(tt.user, "open-sesame")
					}
					t.Setenv(strings.ToUpper(scheme)+"_PROXY", proxy.String())
				}
				c, err := New(cfg, user("u", secret), Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(c.Close)
				_, _, err = c.Tags(t.Context(), "a", "", 0)
				if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrPaused) {
					t.Fatalf("got %v, want ErrUnavailable", err)
				}
				for _, want := range append(tt.says, "registry test: ", "the proxy http://"+proxy.Host) {
					if want = strings.ReplaceAll(want, "HTTPS_", strings.ToUpper(scheme)+"_"); !strings.Contains(err.Error(), want) {
						t.Errorf("no %q in %v", want, err)
					}
				}
				if strings.Contains(err.Error(), "open-sesame") || strings.Contains(err.Error(), secret) {
					t.Errorf("a secret is shown: %v", err)
				}
			})
		}
	}
}

// The address of a proxy that is none may still hold its password.
func TestProxyThatIsNoURL(t *testing.T) {
	noEnvironment(t)
	t.Setenv("HTTPS_PROXY", "http://porter:open-sesame@proxy test:x")
	c, err := New(config.Registry{Name: "test", Address: "registry.test"}, config.Resolved{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Ping(t.Context()); err == nil || strings.Contains(err.Error(), "open-sesame") || !strings.Contains(err.Error(), "HTTPS_PROXY") {
		t.Errorf("got %v, want an error that names the variable alone", err)
	}
}
