package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// HubHost is the pull host of Docker Hub.
const HubHost = "docker.io"

var (
	hostname    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	ipv6Literal = regexp.MustCompile(`^\[([0-9a-f:.]+)\]$`)
)

// address is a registry's address taken apart.
type address struct {
	scheme string // "http", "https" or blank
	host   string // lower case, without the scheme's default port
}

// Host is the registry's pull host: lower case, with the port where it is not
// the scheme's own, docker.io for Docker Hub. It is what image references of
// this registry begin with; it is blank when the address is not valid.
func (r Registry) Host() string {
	a, err := parseAddress(r.Address)
	if err != nil {
		return ""
	}
	return a.host
}

// PlainHTTP reports whether the registry is spoken to without TLS: only when
// its address says http://, or is a loopback address that neither says
// https:// nor has TLS settings.
func (r Registry) PlainHTTP() bool {
	a, err := parseAddress(r.Address)
	if err != nil {
		return false
	}
	switch a.scheme {
	case "http":
		return true
	case "https":
		return false
	}
	return IsLoopback(a.host) && r.TLS == (TLS{})
}

// IsLoopback reports whether a host, with or without a port, is this machine
// by its name: localhost or a loopback address literal.
func IsLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func parseAddress(s string) (address, error) {
	var a address
	rest := strings.ToLower(strings.TrimSpace(s))
	if scheme, r, ok := strings.Cut(rest, "://"); ok {
		if scheme != "http" && scheme != "https" {
			return a, fmt.Errorf("scheme %q is neither http nor https", scheme)
		}
		a.scheme, rest = scheme, r
	} else if rest == "" {
		rest = HubHost
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#@") {
		return a, errors.New("only a host and a port are allowed, no path, query or user")
	}
	host, port, err := splitPort(rest)
	if err != nil {
		return a, err
	}
	if err := checkHost(host); err != nil {
		return a, err
	}
	a.host = joinPort(a.scheme, host, port)
	return a, nil
}

// joinPort leaves the scheme's own port out and gives Docker Hub its one name.
func joinPort(scheme, host, port string) string {
	own := "443"
	if scheme == "http" {
		own = "80"
	}
	if port != "" && port != own {
		return host + ":" + port
	}
	switch host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com":
		return HubHost
	}
	return host
}

func splitPort(s string) (host, port string, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return s, "", nil
	}
	host, port = s[:i], s[i+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "", "", fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	return host, port, nil
}

func checkHost(host string) error {
	if m := ipv6Literal.FindStringSubmatch(host); m != nil {
		if ip, err := netip.ParseAddr(m[1]); err == nil && ip.Is6() {
			return nil
		}
	}
	if len(host) > 253 || !hostname.MatchString(host) {
		return fmt.Errorf("%q is not a host name", host)
	}
	return nil
}
