package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/landwaiter/landwaiter/test/harness"
)

// readerLine is the htpasswd line of reader with the password "right".
const readerLine = "reader:$2a$04$IZDpc1RedAm0Jy5HdSntHOu0x.glsfT9EafhdvUVqWBV6VneZ0ww6\n"

// authority issues certificates.
type authority struct {
	t    *testing.T
	dir  string
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key, a.cert = a.issue("authority", nil)
	return a
}

// issue makes a key and its certificate, signed by the authority or, with no
// parent, by itself, and writes both as PEM files.
func (a *authority) issue(name string, parent *authority) (*rsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: parent == nil,
	}
	signer, by := key, template
	if parent != nil {
		signer, by = parent.key, parent.cert
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".crt", "CERTIFICATE", raw)
	a.write(name+".key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	return key, cert
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) write(name, kind string, raw []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// front speaks TLS with whoever has a certificate of the authority, and passes
// on to a registry.
func (a *authority) front(host string) *httptest.Server {
	a.t.Helper()
	a.issue("server", a)
	a.issue("client", a)
	pair, err := tls.LoadX509KeyPair(a.file("server.crt"), a.file("server.key"))
	if err != nil {
		a.t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	s := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host}))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	s.StartTLS()
	a.t.Cleanup(s.Close)
	return s
}

// TestRegistryLogins reads from real registries behind each way to log in, and
// has the product say which step fails where the login is wrong.
func TestRegistryLogins(t *testing.T) {
	harness.EndToEnd(t)
	a := newAuthority(t)
	r := harness.StartRegistry(t, harness.RegistryOptions{})
	r.Push(t, "team/app:1", harness.Append(t, empty.Image, harness.Files(t, map[string]string{"app/VERSION": "1"}), "COPY VERSION /app/"))
	r.Restart(t, harness.RegistryOptions{HTPasswd: readerLine})
	front := a.front(r.Host)
	in := &installation{t: t, data: t.TempDir(), env: []string{"RIGHT=right", "WRONG=wrong"}}
	in.config = filepath.Join(t.TempDir(), "landwaiter.yaml")
	in.console, in.hooks = "http://"+free(t), "http://"+free(t)
	in.write(fmt.Sprintf(`credentials:
  - {name: reader, type: basic, username: reader, password: {env: RIGHT}}
  - {name: stranger, type: basic, username: reader, password: {env: WRONG}}
registries:
  - {name: password, address: "http://%[1]s", credential: reader}
  - {name: password-wrong, address: "http://%[1]s", credential: stranger}
  - {name: tls, address: "%[2]s", credential: reader, tls: {ca: %[3]s, cert: %[4]s, key: %[5]s}}
  - {name: tls-stranger, address: "%[2]s", credential: reader, tls: {ca: %[3]s}}
  - {name: tls-unknown, address: "%[2]s", credential: reader, tls: {cert: %[4]s, key: %[5]s}}
rules: []
`, r.Host, front.URL, a.file("authority.crt"), a.file("client.crt"), a.file("client.key")))
	in.start()
	for name, want := range map[string]string{ // what the first step that fails says; blank: none does
		"password":       "",
		"password-wrong": "login failed credential stranger",
		"tls":            "",
		"tls-stranger":   "failed certificate",
		"tls-unknown":    "tls failed certificate",
	} {
		t.Run(name, func(t *testing.T) {
			out := in.command("registries", "test", name)
			if (out.Code == 0) != (want == "") {
				t.Fatalf("code %d\n%s%s", out.Code, out.Stdout, out.Stderr)
			}
			shown := strings.Join(strings.Fields(out.Stdout), " ")
			for word := range strings.FieldsSeq(want) {
				if !strings.Contains(shown, word) {
					t.Errorf("no %q in\n%s", word, out.Stdout)
				}
			}
			if strings.Contains(out.Stdout+out.Stderr, "right") || strings.Contains(out.Stdout+out.Stderr, " wrong") {
				t.Errorf("the password is shown:\n%s%s", out.Stdout, out.Stderr)
			}
			if want == "" && !strings.Contains(out.Stdout, "1 tag in team/app, without digests and push dates") {
				t.Errorf("got\n%s", out.Stdout)
			}
		})
	}
	if log := in.up.Stderr(); strings.Contains(log, `"right"`) || strings.Contains(log, a.file("client.key")+":") {
		t.Error("the log shows a secret")
	}
}
