package registry

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/landwaiter/landwaiter/services/internal/agent"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// What a registry that says nothing of limits is asked for at most.
const (
	defaultRate        = 20 // requests a second; Google's registries refuse more
	defaultConcurrency = 8
	maxRedirects       = 5
	maxRetryAfter      = 24 * time.Hour
)

// guard is what every request passes on its way out: it decides the scheme,
// keeps the budget, and sends credentials to the registry and its token
// server only.
type guard struct {
	scheme  string
	contact string // the registry's host as it is contacted
	agent   string
	inner   *http.Transport
	limiter *rate.Limiter
	slots   chan struct{}
	realm   atomic.Pointer[url.URL] // the token server, once it was checked
}

func newGuard(cfg config.Registry, contact string, inner *http.Transport) *guard {
	g := &guard{scheme: "https", contact: contact, agent: agent.UserAgent(), inner: inner}
	if cfg.PlainHTTP() {
		g.scheme = "http"
	}
	perSecond := cfg.Limits.RequestsPerSecond
	if perSecond <= 0 {
		perSecond = defaultRate
	}
	g.limiter = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
	slots := cfg.Limits.Concurrency
	if slots <= 0 {
		slots = defaultConcurrency
	}
	g.slots = make(chan struct{}, slots)
	return g
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
	if g.isOwn(req.URL) {
		if err := g.limiter.Wait(ctx); err != nil {
			if ctx.Err() == nil { // the budget frees nothing before the deadline
				err = &Unavailable{Reason: "the registry's request budget is used up"}
			}
			return nil, err
		}
	}
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release := sync.OnceFunc(func() { <-g.slots })
	resp, err := g.inner.RoundTrip(req)
	if err != nil {
		release()
		if ctx.Err() != nil || isKind(err) {
			return nil, err
		}
		return nil, &Unavailable{Reason: cut(err.Error())}
	}
	resp.Body = &slotBody{ReadCloser: resp.Body, release: release}
	if after := resp.Header.Get("Retry-After"); resp.StatusCode == http.StatusTooManyRequests ||
		resp.StatusCode == http.StatusServiceUnavailable && after != "" {
		drain(resp)
		return nil, &Unavailable{
			RetryAfter: retryAfter(after, time.Now()),
			Reason:     "status " + strconv.Itoa(resp.StatusCode),
		}
	}
	return resp, nil
}

// address decides where a request may go and what it may carry there.
func (g *guard) address(req *http.Request) error {
	switch realm := g.realm.Load(); {
	case g.isOwn(req.URL):
		req.URL.Scheme = g.scheme
	case realm != nil && req.URL.Host == realm.Host && req.URL.Scheme == realm.Scheme:
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		return fmt.Errorf("%w: %s request sent away to %s", ErrInvalid, req.Method, cut(req.URL.Host))
	default:
		if err := g.checkForeign(req.URL); err != nil {
			return err
		}
		req.Header.Del("Authorization")
		req.Header.Del("Cookie")
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

func (g *guard) close() { g.inner.CloseIdleConnections() }

// retryAfter reads the header: seconds, or a date. At most a day.
func retryAfter(h string, now time.Time) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.ParseUint(h, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(h); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// slotBody gives the slot back when the body is closed.
type slotBody struct {
	io.ReadCloser
	release func()
}

func (b *slotBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
