package ingest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// issuer is a certificate authority.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, key := i.sign(t, template)
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	i.cert, i.key = cert, key
	return i
}

// sign makes a key and a certificate for it; the first one signs itself.
func (i *issuer) sign(t *testing.T, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := i.cert, i.key
	if parent == nil {
		parent, signer = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return raw, key
}

// issue writes a certificate and its key, and returns the pair.
func (i *issuer) issue(t *testing.T, name, certFile, keyFile string) tls.Certificate {
	t.Helper()
	raw, key := i.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	write(t, keyFile, keyPEM)
	write(t, certFile, certPEM)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// deliver posts one delivery over a connection of its own and tells how it was
// answered, over which protocol, and with which certificate.
func (s *service) deliver(t *testing.T, ca *issuer, c *tls.Config, path string) (status int, proto, name string) {
	t.Helper()
	c.RootCAs = x509.NewCertPool()
	c.RootCAs.AddCert(ca.cert)
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Timeout: patience, Transport: transport}).Post(s.url+path, "application/json", strings.NewReader(string(push(t.Name()))))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode, res.Proto, res.TLS.PeerCertificates[0].Subject.CommonName
}

func TestCertificateIsFollowed(t *testing.T) {
	dir, ca := t.TempDir(), newIssuer(t)
	files := TLS{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	ca.issue(t, "first.example", files.Cert, files.Key)
	s := start(t, func(c *Config) { c.TLS = files }, local())
	if status, proto, name := s.deliver(t, ca, &tls.Config{}, localPath); status != http.StatusAccepted || proto != "HTTP/2.0" || name != "first.example" {
		t.Errorf("answer %d over %s from %s", status, proto, name)
	}
	write(t, files.Cert, []byte("half a certi")) // somebody is at it
	if _, _, name := s.deliver(t, ca, &tls.Config{}, localPath); name != "first.example" {
		t.Errorf("with a broken file: %s", name)
	}
	ca.issue(t, "second.example", files.Cert, files.Key)
	if _, _, name := s.deliver(t, ca, &tls.Config{}, localPath); name != "second.example" {
		t.Errorf("after the change: %s", name)
	}
}

func TestClientCertificates(t *testing.T) {
	dir, ca, other := t.TempDir(), newIssuer(t), newIssuer(t)
	files := TLS{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), ClientCA: filepath.Join(dir, "ca.crt")}
	ca.issue(t, "ingest.example", files.Cert, files.Key)
	write(t, files.ClientCA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}))
	mutual := local()
	mutual.Name = "mutual"
	mutual.Webhook.Auth = config.WebhookAuth{Type: config.MTLSAuth, Subjects: []string{"quay.example"}}
	s := start(t, func(c *Config) { c.TLS = files }, local(), mutual)
	pair := func(by *issuer, name string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{by.issue(t, name, filepath.Join(dir, name), filepath.Join(dir, name+".key"))}}
	}
	for _, tt := range []struct {
		name string
		tls  *tls.Config
		path string
		want int
	}{
		{"the right name", pair(ca, "quay.example"), "/hooks/mutual", http.StatusAccepted},
		{"another name", pair(ca, "other.example"), "/hooks/mutual", http.StatusUnauthorized},
		{"no certificate, though the secret", &tls.Config{}, strings.Replace(localPath, "local", "mutual", 1), http.StatusUnauthorized},
		{"no certificate where none is asked for", &tls.Config{}, localPath, http.StatusAccepted},
	} {
		if status, _, _ := s.deliver(t, ca, tt.tls, tt.path); status != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, status, tt.want)
		}
	}
	forged := pair(other, "quay.example")
	forged.RootCAs = x509.NewCertPool()
	forged.RootCAs.AddCert(ca.cert)
	conn, err := (&tls.Dialer{Config: forged}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://"))
	if err == nil { // TLS 1.3 tells a client only with the first answer
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	if err == nil {
		t.Error("a certificate of a foreign authority was taken")
	}
}

func TestPlainHTTPOnlyWhenAskedFor(t *testing.T) {
	open := func(t *testing.T) net.Listener {
		t.Helper()
		var lc net.ListenConfig
		ln, err := lc.Listen(t.Context(), "tcp", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ln.Close() })
		return ln
	}
	_, err := listen(t.Context(), Config{Listener: open(t)}.withDefaults(), zap.NewNop())
	if err == nil || !strings.Contains(err.Error(), "LANDWAITER_INGEST_TLS_CERT") {
		t.Errorf("plain HTTP for everybody: %v", err)
	}
	if _, err := listen(t.Context(), Config{Listener: open(t), PlainHTTP: true}.withDefaults(), zap.NewNop()); err != nil {
		t.Errorf("asked for: %v", err)
	}
	if _, err := httpServer(Config{TLS: TLS{Cert: "none.crt", Key: "none.key"}}.withDefaults(), &receiver{}, zap.NewNop()); err == nil ||
		!strings.Contains(err.Error(), "none.crt") {
		t.Errorf("a certificate that is not there: %v", err)
	}
}

func TestHandshake(t *testing.T) {
	s := start(t, nil, local())
	ask := func(path string, header map[string]string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range header {
			req.Header.Set(k, v)
		}
		res, err := client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	grid := map[string]string{
		"WebHook-Request-Origin": "eventgrid.azure.net", "WebHook-Request-Rate": "120", "WebHook-Request-Callback": s.url + "/called",
	}
	res := ask(localPath, grid)
	if res.StatusCode != http.StatusOK || res.Header.Get("WebHook-Allowed-Origin") != "eventgrid.azure.net" ||
		res.Header.Get("WebHook-Allowed-Rate") != "120000" || !strings.Contains(res.Header.Get("Allow"), "POST") {
		t.Errorf("answer %s %v", res.Status, res.Header)
	}
	if res := ask("/hooks/local/wrong", grid); res.StatusCode != http.StatusUnauthorized || res.Header.Get("WebHook-Allowed-Origin") != "" {
		t.Errorf("without the secret: %s %v", res.Status, res.Header)
	}
	if res := ask(localPath, map[string]string{"WebHook-Request-Origin": "<script>"}); res.Header.Get("WebHook-Allowed-Origin") != "" {
		t.Errorf("an origin that is none was allowed: %v", res.Header)
	}
	if strings.Contains(s.log.String(), "/called") {
		t.Error("the callback was called")
	}
}

func TestRateOfARegistry(t *testing.T) {
	slow, quick := local(), local()
	slow.Name, slow.Webhook.DeliveriesPerSecond = "slow", 0.1 // one at once, the next in ten seconds
	s := start(t, nil, slow, quick)
	at := strings.Replace(localPath, "local", "slow", 1)
	if status, text := s.post(t, at, push("a")); status != http.StatusAccepted {
		t.Fatalf("the first: %d %s", status, text)
	}
	res, err := client().Post(s.url+at, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the second: %s %v", res.Status, res.Header)
	}
	if status, _ := s.post(t, localPath, push("b")); status != http.StatusAccepted {
		t.Errorf("another registry pays for it: %d", status)
	}
	if status, _ := s.post(t, "/hooks/slow/wrong", push("c")); status != http.StatusUnauthorized {
		t.Errorf("a stranger: %d", status)
	}
}

// Secrets change while senders are being told the new one.
func TestTwoSecretsAreValid(t *testing.T) {
	r := local()
	r.Webhook.Secret, r.Webhook.PreviousSecret = config.SecretRef{Env: "NEW"}, config.SecretRef{Env: "HOOK"}
	s := start(t, func(c *Config) {
		c.Secrets.Getenv = func(name string) string { return map[string]string{"HOOK": secret, "NEW": "brand-new"}[name] }
	}, r)
	for path, want := range map[string]int{localPath: 202, "/hooks/local/brand-new": 202, "/hooks/local/older": 401} {
		if status, _ := s.post(t, path, push(path)); status != want {
			t.Errorf("%d, want %d", status, want)
		}
	}
}
