package registry

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	inner   *http.Transport
	budget  Budget
	most    int // requests in flight, where the budget does not say
	slots   *slots
	pulls   Rest                    // from reading manifests, as Docker Hub counts them
	realm   atomic.Pointer[url.URL] // the token server, once it was checked
	trusted sync.Map                // origins of the vendor's API and token service
}

func newGuard(cfg config.Registry, contact string, budget Budget) (*guard, error) {
	d := newDialer(cfg, contact)
	inner, err := newTransport(cfg, d)
	if err != nil {
		return nil, err
	}
	g := &guard{
		scheme: "https", contact: contact, agent: agent.UserAgent(), dialer: d, inner: inner,
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
	counted := g.isOwn(req.URL) || g.isTrusted(req.URL)
	most := g.most
	if counted {
		if isPull(req) {
			if err := g.pulls.Check(time.Now()); err != nil {
				return nil, err
			}
		}
		share, err := g.budget.Wait(ctx)
		if err != nil {
			return nil, err
		}
		if share > 0 {
			most = share
		}
	}
	if err := g.slots.take(ctx, most); err != nil {
		return nil, err
	}
	release := sync.OnceFunc(g.slots.give)
	resp, err := g.inner.RoundTrip(req)
	if err != nil {
		release()
		if ctx.Err() != nil || isKind(err) {
			return nil, err
		}
		return nil, &Unavailable{Reason: cut(err.Error())}
	}
	resp.Body = &slotBody{ReadCloser: resp.Body, release: release}
	return g.heed(req, resp, counted)
}

// heed does what an answer says about further requests.
func (g *guard) heed(req *http.Request, resp *http.Response, counted bool) (*http.Response, error) {
	now := time.Now()
	if rest := pullRest(resp.Header); counted && rest > 0 {
		g.pulls.Set(now.Add(rest), "no pulls are left (ratelimit-remaining: 0)")
	}
	after := resp.Header.Get("Retry-After")
	busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable && after != ""
	if !busy {
		return resp, nil
	}
	drain(resp)
	err := &Unavailable{RetryAfter: retryAfter(after, now), Reason: "status " + strconv.Itoa(resp.StatusCode)}
	if counted { // what a redirect leads to has limits of its own
		rest := err.RetryAfter
		if rest == 0 {
			rest = silentRest
		}
		g.budget.Rest(req.Context(), now.Add(rest), err.Reason)
	}
	return nil, err
}

// isPull reports whether a registry may count the request as a pull.
func isPull(req *http.Request) bool {
	return req.Method == http.MethodGet && strings.HasPrefix(req.URL.Path, "/v2/") && strings.Contains(req.URL.Path, "/manifests/")
}

// address decides where a request may go and what it may carry there.
func (g *guard) address(req *http.Request) error {
	switch realm := g.realm.Load(); {
	case g.isOwn(req.URL):
		req.URL.Scheme = g.scheme
	case realm != nil && req.URL.Host == realm.Host && req.URL.Scheme == realm.Scheme:
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
