package registry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// dialer connects to what a registry, its redirects and its token server name,
// and judges addresses after they were resolved: a name says nothing of where
// it leads.
type dialer struct {
	net.Dialer

	own     string       // host:port of the registry: where it lies is its operator's choice
	here    bool         // the registry is configured to be on this machine
	proxies sync.Map     // host:port of the configured proxies, as far as they were used
	named   atomic.Bool  // the configuration names that token server
	realm   atomic.Value // host:port of the token server the registry named
	private atomic.Bool  // the registry was found in a private network
}

func newDialer(cfg config.Registry, contact string) *dialer {
	scheme := "https"
	if cfg.PlainHTTP() {
		scheme = "http"
	}
	return &dialer{
		Dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: headerTimeout},
		own:    withPort(contact, scheme),
		here:   config.IsLoopback(contact),
	}
}

// DialContext connects, unless the address is one that must not be reached.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	one := d.Dialer
	_, proxy := d.proxies.Load(address)
	here := d.here || proxy || address == d.own
	one.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
		if err := refuse(resolved, here); err != nil {
			return err
		}
		return d.refusePrivate(address, resolved)
	}
	return one.DialContext(ctx, network, address)
}

// refusePrivate keeps a registry on the internet from naming a token server in
// a private network: it would be sent the credential. What a redirect leads to
// gets none, and may be there.
func (d *dialer) refusePrivate(address, resolved string) error {
	ap, err := netip.ParseAddrPort(resolved)
	if err != nil || !ap.Addr().Unmap().IsPrivate() {
		return nil //nolint:nilerr // not an address (a Unix socket): not a private network either
	}
	if address == d.own {
		d.private.Store(true)
		return nil
	}
	if d.realm.Load() == any(address) && !d.private.Load() && !d.named.Load() {
		return fmt.Errorf("%w: the token server %s is in a private network, where the registry is not: if it is the registry's, let tokenServers of the registry name it", ErrInvalid, cut(address))
	}
	return nil
}

// proxied remembers the proxies that choose names: they may be on this machine.
func (d *dialer) proxied(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		u, err := choose(req)
		if u != nil {
			d.proxies.Store(withPort(u.Host, u.Scheme), true)
		}
		return u, err
	}
}

// refuse keeps redirects, realms and DNS answers from leading to link-local
// addresses, where clouds serve a machine's own credentials, and to what
// listens on this machine only, unless that is allowed.
func refuse(address string, here bool) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil //nolint:nilerr // not an address (a Unix socket): not link-local either
	}
	ip := ap.Addr().Unmap()
	switch {
	case isMetadata(ip):
		return fmt.Errorf("%w: %s is a link-local address", ErrInvalid, ip)
	case !here && (ip.IsLoopback() || ip.IsUnspecified()): // to connect to the latter is to connect to the former
		return fmt.Errorf("%w: %s is this machine", ErrInvalid, ip)
	}
	return nil
}

func isMetadata(ip netip.Addr) bool {
	return ip.IsLinkLocalUnicast() || ip.WithZone("") == netip.AddrFrom16([16]byte{0xfd, 0, 0x0e, 0xc2, 15: 0x54, 14: 0x02})
}
