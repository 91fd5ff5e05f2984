package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// proxies choose the proxy of each request of one registry: the registry's own,
// else the environment's as it is when the registry's client is made.
type proxies struct {
	own    bool // the registry's
	choose func(*url.URL) (*url.URL, error)
}

func newProxies(cfg config.Registry) (proxies, error) {
	bypass := strings.Join(cfg.NoProxy, ",")
	if cfg.Proxy == "" {
		env := httpproxy.FromEnvironment()
		env.NoProxy = strings.Trim(env.NoProxy+","+bypass, ",")
		return proxies{choose: env.ProxyFunc()}, nil
	}
	own, err := url.Parse(cfg.Proxy)
	if err != nil {
		return proxies{}, fmt.Errorf("%w: proxy is not a URL", ErrInvalid)
	}
	listed := (&httpproxy.Config{HTTPProxy: cfg.Proxy, HTTPSProxy: cfg.Proxy, NoProxy: bypass}).ProxyFunc()
	return proxies{own: true, choose: func(u *url.URL) (*url.URL, error) {
		// A proxy that is named for a registry here is meant for it; what the
		// environment names never is.
		here := config.IsLoopback(u.Host) && !slices.ContainsFunc(cfg.NoProxy, func(h string) bool {
			return h == "*" || strings.EqualFold(h, u.Hostname()) || strings.EqualFold(h, u.Host)
		})
		if here {
			return own, nil
		}
		return listed(u)
	}}, nil
}

// of is the proxy of a request; nil: none.
func (p proxies) of(u *url.URL) (*url.URL, error) {
	proxy, err := p.choose(u)
	if err != nil { // its message repeats the address, which may hold a password
		return nil, &Unavailable{Reason: "the proxy in " + p.variable(u) + " is not the URL of a proxy"}
	}
	return proxy, nil
}

// variable is where the proxy of a request stands.
func (p proxies) variable(u *url.URL) string {
	switch {
	case p.own:
		return "the registry's proxy setting"
	case u.Scheme == "https":
		return "HTTPS_PROXY"
	default:
		return "HTTP_PROXY"
	}
}

// named is a proxy in messages: never with its user.
func (p proxies) named(proxy, u *url.URL) string {
	return fmt.Sprintf("the proxy %s://%s (%s)", proxy.Scheme, cut(proxy.Host), p.variable(u))
}

// down is the error of a proxy that did not let a request through; nil: it was
// not the proxy's.
func (p proxies) down(u *url.URL, err error) error {
	if unavailable, ok := errors.AsType[*Unavailable](err); ok { // said by answered, behind a library's own words
		return unavailable
	}
	var op *net.OpError
	proxy := p.usable(u)
	if proxy == nil || !errors.As(err, &op) || op.Op != "proxyconnect" && op.Op != "socks connect" {
		return nil
	}
	return &Unavailable{Reason: p.named(proxy, u) + " cannot be used: " + cut(op.Err.Error()) +
		": see that it runs and can be reached from the worker, or let noProxy name " + u.Host}
}

// usable is the proxy on the way to an address; nil: there is none.
func (p proxies) usable(u *url.URL) *url.URL {
	proxy, err := p.of(u)
	if err != nil {
		return nil
	}
	return proxy
}

// answered judges a proxy's answer to the wish for a way through.
func (p proxies) answered(_ context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return p.refused(proxy, &url.URL{Scheme: "https", Host: req.Host}, resp.StatusCode)
}

// refused is the error of a proxy that answers itself.
func (p proxies) refused(proxy, u *url.URL, status int) error {
	why := fmt.Sprintf("%s does not let %s through: status %d", p.named(proxy, u), cut(u.Host), status)
	switch {
	case status == http.StatusProxyAuthRequired && p.own:
		why += ": it asks for a login: set " + envOf(u) + "=http://USER:PASSWORD@HOST:PORT in the worker's environment and leave the registry's proxy out"
	case status == http.StatusProxyAuthRequired && proxy.User == nil:
		why += ": it asks for a login: set " + envOf(u) + "=http://USER:PASSWORD@HOST:PORT"
	case status == http.StatusProxyAuthRequired:
		why += ": it does not take the user and the password in " + envOf(u)
	default:
		why += ": allow it there, or let noProxy name it"
	}
	return &Unavailable{Reason: why}
}

func envOf(u *url.URL) string { return proxies{}.variable(u) }
