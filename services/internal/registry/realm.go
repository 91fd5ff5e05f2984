package registry

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// trustRealm checks the token server a registry names, before anything is
// sent there: it gets the credential. It must be the registry's own host, or
// speak TLS and stand under the same registrable domain.
func (g *guard) trustRealm(realm string) error {
	u, err := url.Parse(realm)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("%w: the token server's address is not a URL", ErrInvalid)
	}
	if g.isOwn(u) {
		g.nameRealm(u)
		return nil
	}
	if u.Scheme != "https" && (u.Scheme != "http" || g.scheme != "http") {
		return fmt.Errorf("%w: the token server %s does not use TLS", ErrInvalid, cut(u.Host))
	}
	own, other := hostOf(g.contact), strings.ToLower(u.Hostname())
	if !sameOwner(own, other) {
		return fmt.Errorf("%w: the token server %s does not belong to %s", ErrInvalid, cut(u.Host), g.contact)
	}
	g.nameRealm(u)
	return nil
}

func (g *guard) nameRealm(u *url.URL) {
	g.dialer.realm.Store(withPort(u.Host, u.Scheme))
	g.realm.Store(u)
}

// sameOwner reports whether two hosts may share a credential.
func sameOwner(own, other string) bool {
	if own == other || config.IsLoopback(own) && config.IsLoopback(other) {
		return true
	}
	if isIP(own) || isIP(other) {
		return false
	}
	a, err := publicsuffix.EffectiveTLDPlusOne(own)
	if err != nil {
		return false
	}
	b, err := publicsuffix.EffectiveTLDPlusOne(other)
	return err == nil && a == b
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func hostOf(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}

func withPort(hostport, scheme string) string {
	if _, _, err := net.SplitHostPort(hostport); err == nil {
		return hostport
	}
	port := "443"
	if scheme == "http" {
		port = "80"
	}
	return net.JoinHostPort(strings.Trim(hostport, "[]"), port)
}
