package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// connectProxy is a proxy, and the only way to all there is: every name leads
// through it to one TLS server, or, of plain HTTP, to one more.
type connectProxy struct {
	login  string // user:password; blank: none is asked for
	refuse int    // status for everything

	tls, plain string // where hosts are, host:port

	mu     sync.Mutex
	hosts  []string // asked for
	logins []string // shown, decoded
}

func (p *connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	shown, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Proxy-Authorization"), "Basic "))
	p.mu.Lock()
	p.hosts = append(p.hosts, r.Host)
	p.logins = append(p.logins, string(shown))
	p.mu.Unlock()
	switch {
	case p.refuse != 0:
		w.WriteHeader(p.refuse)
	case p.login != "" && string(shown) != p.login:
		w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
	case r.Method == http.MethodConnect:
		p.tunnel(w, r)
	default:
		p.forward(w, r)
	}
}

func (p *connectProxy) tunnel(w http.ResponseWriter, r *http.Request) {
	var d net.Dialer
	there, err := d.DialContext(r.Context(), "tcp", p.tls)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	here, early, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = there.Close()
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(there, early); _ = there.Close() }()
	_, _ = io.Copy(here, there)
	_ = here.Close()
}

func (p *connectProxy) forward(w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Host = "", p.plain
	out.Header.Del("Proxy-Authorization")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// asked are the hosts that were asked for, each once, in order of names.
func (p *connectProxy) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Clone(p.hosts)
	slices.Sort(all)
	return slices.Compact(all)
}

// start serves the proxy and what is behind it: site has the host's name in its
// requests. ca is the file of the authority of all certificates there.
func (p *connectProxy) start(t *testing.T, site http.Handler, names ...string) (proxy *url.URL, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(site)
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}
	secure.StartTLS()
	plain := httptest.NewServer(site)
	front := httptest.NewServer(p)
	t.Cleanup(func() {
		front.CloseClientConnections()
		for _, s := range []*httptest.Server{front, secure, plain} {
			s.Close()
		}
	})
	p.tls, p.plain = secure.Listener.Addr().String(), plain.Listener.Addr().String()
	if proxy, err = url.Parse(front.URL); err != nil {
		t.Fatal(err)
	}
	return proxy, ca
}

// tokenSite is a registry, its token server at another name of the same domain,
// and where its blobs are.
func tokenSite(t *testing.T) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Errorf("%s was shown the proxy's login", r.Host)
		}
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		switch {
		case r.Host == "auth.registry.test":
			if u, p, _ := r.BasicAuth(); u != "u" || p != secret {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = fmt.Fprintf(w, `{"token":%q}`, granted)
		case r.Host == "blobs.elsewhere.test":
			if r.Header.Get("Authorization") != "" {
				t.Error("the blobs' host was shown the token")
			}
			_, _ = io.WriteString(w, "{}")
		case r.Header.Get("Authorization") != "Bearer "+granted:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s://auth.registry.test/token",service="x"`, scheme))
			w.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, "/blobs/"):
			http.Redirect(w, r, scheme+"://blobs.elsewhere.test/b?signature="+secret, http.StatusTemporaryRedirect)
		case strings.HasSuffix(r.URL.Path, "/tags/list"):
			_, _ = io.WriteString(w, `{"tags":["1"]}`)
		case strings.HasSuffix(r.URL.Path, "/_catalog"):
			_, _ = io.WriteString(w, `{"repositories":["a"]}`)
		}
	})
}
