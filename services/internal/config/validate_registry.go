package config

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
)

func (c *checker) registry(path string, r Registry) {
	c.check(sub(path, "name"), CheckName(r.Name), "")
	if r.Type != "" {
		oneOf(c, sub(path, "type"), r.Type, RegistryTypes())
	}
	c.address(path, r)
	if r.Credential != "" {
		c.check(sub(path, "credential"), CheckName(r.Credential), "the name of one of the credentials")
	}
	if (r.TLS.Cert == "") != (r.TLS.Key == "") {
		c.add(sub(path, "tls"), "cert and key go together", "")
	}
	if r.TLS.CA != "" && r.TLS.InsecureSkipVerify {
		c.add(sub(path, "tls.insecureSkipVerify"), "leaves ca without a use", "leave one of them out")
	}
	c.proxy(sub(path, "proxy"), r.Proxy)
	c.noProxy(sub(path, "noProxy"), r.NoProxy)
	c.tokenServers(sub(path, "tokenServers"), r.TokenServers)
	if rps := r.Limits.RequestsPerSecond; rps < 0 || math.IsNaN(rps) || math.IsInf(rps, 0) {
		c.add(sub(path, "limits.requestsPerSecond"), "is less than 0", "")
	}
	if n := r.Limits.Concurrency; n < 0 || n > 1000 {
		c.add(sub(path, "limits.concurrency"), "is not from 0 to 1000", "")
	}
	c.webhook(sub(path, "webhook"), r)
	if r.Trust != "" {
		c.check(sub(path, "trust"), CheckName(r.Trust), "")
	}
}

func (c *checker) address(path string, r Registry) {
	at := sub(path, "address")
	a, err := parseAddress(r.Address)
	if err != nil {
		c.add(at, err.Error(), "as registry.example.com, or http://registry.local:5000 for plain HTTP")
		return
	}
	isHub := a.host == HubHost
	switch {
	case isHub && a.scheme == "http":
		c.add(at, "Docker Hub is not spoken to in plain HTTP", "leave the address out")
	case isHub && !slices.Contains([]RegistryType{"", OCI, DockerHub}, r.Type) && !c.complained(sub(path, "type")):
		hint := ""
		switch r.Type {
		case Quay:
			hint = "address: quay.io"
		case GHCR:
			hint = "address: ghcr.io"
		case GitLab:
			hint = "address: registry.gitlab.com"
		default:
		}
		c.add(at, "is missing: without one it is Docker Hub, which is not of type "+short(string(r.Type)), hint)
	case !isHub && r.Type == DockerHub:
		c.add(at, "is not Docker Hub", "leave it out, or use type: oci for a mirror")
	}
	if a.scheme == "http" && r.TLS != (TLS{}) {
		c.add(sub(path, "tls"), "has no use with an http:// address", "")
	}
}

func (c *checker) proxy(path, s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
		c.add(path, "is not the URL of a proxy", "as http://proxy.example.com:3128")
	case u.User != nil:
		c.add(path, "holds a user; a secret never stands in a document", "set HTTPS_PROXY in the environment and leave proxy out")
	}
}

// maxHosts bounds a list of hosts.
const maxHosts = 100

func (c *checker) noProxy(path string, hosts []string) {
	if len(hosts) > maxHosts {
		c.add(path, "has more than 100 entries", "")
	}
	for i, h := range hosts {
		if h == "" || strings.ContainsAny(h, ", \t\r\n@") || strings.Contains(h, "://") {
			c.add(fmt.Sprintf("%s[%d]", path, i), "is not a host", "as registry.example.com, .example.com, 10.0.0.0/8 or *")
		}
	}
}

func (c *checker) tokenServers(path string, hosts []string) {
	if len(hosts) > maxHosts {
		c.add(path, "has more than 100 entries", "")
	}
	for i, h := range hosts {
		host, _, err := splitPort(strings.ToLower(h))
		if err == nil {
			err = checkHost(host)
		}
		if err != nil {
			c.add(fmt.Sprintf("%s[%d]", path, i), err.Error(), "as auth.example.com, with :port where it is not 443")
		}
	}
}
