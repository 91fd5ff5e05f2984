package registry

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// trustRealm checks the token server a registry names, before anything is
// sent there: it gets the credential. It must be the registry's own host, or
// speak TLS and stand under the same registrable domain, or be one that the
// configuration names.
func (g *guard) trustRealm(realm string) error {
	u, err := url.Parse(realm)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("%w: the token server's address is not a URL", ErrInvalid)
	}
	if g.isOwn(u) {
		g.nameRealm(u, false)
		return nil
	}
	if u.Scheme != "https" && (u.Scheme != "http" || g.scheme != "http") {
		return fmt.Errorf("%w: the token server %s does not use TLS, and the registry does: its realm is to begin with https://", ErrInvalid, cut(u.Host))
	}
	own, other := hostOf(g.contact), strings.ToLower(u.Hostname())
	named := slices.Contains(g.named, withPort(strings.ToLower(u.Host), u.Scheme))
	if !named && !sameOwner(own, other) {
		return fmt.Errorf("%w: the token server %s does not belong to %s, and gets no credential: if it is the registry's, "+
			"let tokenServers of the registry name it", ErrInvalid, cut(u.Host), g.contact)
	}
	if isHere(other) { // which the library that asks it refuses, too, without a word
		return fmt.Errorf("%w: the token server %s has an address of a private network: it is to have a name under the registry's domain",
			ErrInvalid, cut(u.Host))
	}
	g.nameRealm(u, named)
	return nil
}

// tokenServers are those that the configuration names, with their ports.
func tokenServers(cfg config.Registry) []string {
	var all []string
	for _, h := range cfg.TokenServers {
		scheme := "https"
		if cfg.PlainHTTP() {
			scheme = "http"
		}
		all = append(all, withPort(strings.ToLower(h), scheme))
	}
	return all
}

// isHere reports whether a host is an address, and one that means something
// else to each who is told it.
func isHere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.Unmap().IsPrivate() || ip.Unmap().IsLoopback())
}

// nameRealm notes the token server that was checked, and whether the
// configuration names it.
func (g *guard) nameRealm(u *url.URL, named bool) {
	g.dialer.named.Store(named)
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
