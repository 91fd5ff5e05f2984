package registry

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/agent"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

const maxRedirects = 5

// guard is what every request passes on its way out: it decides the scheme,
// keeps the budget, and sends credentials to the registry, its token server
// and its vendor's API only.
type guard struct {
	scheme  string
	contact string // the registry's host as it is contacted
	agent   string
	dialer  *dialer
	proxies proxies
	inner   *http.Transport
	budget  Budget
	most    int // requests in flight, where the budget does not say
	slots   *slots
	realm   atomic.Pointer[url.URL] // the token server, once it was checked
	named   []string                // token servers of the configuration, host:port
	trusted sync.Map                // origins of the vendor's API and token service
}

func newGuard(cfg config.Registry, contact string, budget Budget) (*guard, error) {
	d := newDialer(cfg, contact)
	proxies, err := newProxies(cfg)
	if err != nil {
		return nil, err
	}
	inner, err := newTransport(cfg, d, proxies)
	if err != nil {
		return nil, err
	}
	g := &guard{
		scheme: "https", contact: contact, agent: agent.UserAgent(), dialer: d, proxies: proxies, inner: inner, named: tokenServers(cfg),
		budget: budget, most: Limits(cfg).Concurrency, slots: newSlots(),
	}
	if cfg.PlainHTTP() {
		g.scheme = "http"
	}
	if g.budget == nil {
		g.budget = Alone(cfg)
	}
	return g, nil
}

// RoundTrip sends one request. Its errors are of this package's kinds, or the
// context's.
func (g *guard) RoundTrip(in *http.Request) (*http.Response, error) {
	ctx := in.Context()
	req := in.Clone(ctx)
	req.Header.Set("User-Agent", g.agent)
	if err := g.address(req); err != nil {
		return nil, err
	}
	about := g.partOf(req)
	if err := g.take(ctx, req, about); err != nil {
		return nil, err
	}
	release := sync.OnceFunc(g.slots.give)
	sent := time.Now()
	resp, err := g.inner.RoundTrip(req)
	if err != nil {
		release()
		if ctx.Err() != nil || isKind(err) {
			return nil, err
		}
		if down := g.proxies.down(req.URL, err); down != nil {
			return nil, down
		}
		return nil, &Unavailable{Reason: cut(err.Error())}
	}
	resp.Body = &slotBody{ReadCloser: resp.Body, release: release}
	if resp.StatusCode == http.StatusProxyAuthRequired { // no registry says this, and to plain HTTP a proxy answers so
		if proxy, err := g.proxies.of(req.URL); err == nil && proxy != nil {
			drain(resp)
			return nil, g.proxies.refused(proxy, req.URL, resp.StatusCode)
		}
	}
	return g.heed(req, resp, about, sent)
}

// address decides where a request may go and what it may carry there.
func (g *guard) address(req *http.Request) error {
	switch {
	case g.isOwn(req.URL):
		req.URL.Scheme = g.scheme
	case g.isRealm(req.URL):
	case g.isTrusted(req.URL):
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		return fmt.Errorf("%w: %s request sent away to %s", ErrInvalid, req.Method, cut(req.URL.Host))
	default:
		if err := g.checkForeign(req.URL); err != nil {
			return err
		}
		for _, name := range []string{"Authorization", "Cookie", "Private-Token"} {
			req.Header.Del(name)
		}
	}
	return nil
}

// checkForeign says whether a redirect may be followed: never from TLS to
// plain HTTP, and to this machine only from this machine.
func (g *guard) checkForeign(u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != g.scheme:
		return fmt.Errorf("%w: redirect to %s://%s", ErrInvalid, cut(u.Scheme), cut(u.Host))
	case config.IsLoopback(u.Host) && !config.IsLoopback(g.contact):
		return fmt.Errorf("%w: redirect to this machine (%s)", ErrInvalid, cut(u.Host))
	}
	return nil
}

func (g *guard) checkRedirect(_ *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d redirects", ErrInvalid, maxRedirects)
	}
	return nil
}

func (g *guard) isOwn(u *url.URL) bool {
	return u.Host == g.contact || withPort(u.Host, g.scheme) == withPort(g.contact, g.scheme)
}

// isRealm reports whether a request is for the token server.
func (g *guard) isRealm(u *url.URL) bool {
	realm := g.realm.Load()
	return realm != nil && u.Host == realm.Host && u.Scheme == realm.Scheme
}

// isRealmPath reports whether a request to the registry's own host is for the
// token server there.
func (g *guard) isRealmPath(u *url.URL) bool {
	realm := g.realm.Load()
	return realm != nil && g.isOwn(realm) && u.Path == realm.Path
}

// trust lets credentials go to a host beside the registry's own. Which one is
// never a registry's word: it is written in this package, or in the credential.
func (g *guard) trust(u *url.URL) { g.trusted.Store(u.Scheme+"://"+u.Host, true) }

func (g *guard) isTrusted(u *url.URL) bool {
	_, ok := g.trusted.Load(u.Scheme + "://" + u.Host)
	return ok
}

func (g *guard) close() { g.inner.CloseIdleConnections() }

// slotBody gives the slot back when the body is closed.
type slotBody struct {
	io.ReadCloser
	release func()
}

// Close closes the body.
func (b *slotBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
