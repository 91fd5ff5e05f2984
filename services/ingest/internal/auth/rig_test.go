package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	secret = "hook secret ü" // with what a form, a path and a header treat differently
	older  = "older secret"
)

func both() []config.Secret {
	return []config.Secret{config.NewSecret(secret), config.NewSecret(older)}
}

func guard(t *testing.T, r config.Registry, o Options) *Guard {
	t.Helper()
	if o.Secrets == nil {
		o.Secrets = both()
	}
	if o.Patience == 0 {
		o.Patience = time.Minute // the machine may be busy
	}
	r.Name = "r"
	g, err := New(r, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func registry(kind config.RegistryType, a config.WebhookAuth) config.Registry {
	return config.Registry{Type: kind, Webhook: config.Webhook{Auth: a}}
}

// receiver asks a guard as ingest does and answers with its decision. No error
// may give away what the request proves itself with.
func receiver(t *testing.T, g *Guard) http.Handler {
	t.Helper()
	serve := func(w http.ResponseWriter, req *http.Request) {
		switch g.Early(req, req.PathValue("secret")) {
		case Admitted:
			w.WriteHeader(http.StatusNoContent)
			return
		case NeedsBody:
		default:
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Errorf("read body: %v", err)
		}
		err = g.Body(req, body)
		if err != nil {
			for _, private := range []string{secret, older, strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")} {
				if private != "" && strings.Contains(err.Error(), private) {
					t.Errorf("the error shows a secret: %v", err)
				}
			}
		}
		switch {
		case err == nil:
			w.WriteHeader(http.StatusAccepted)
		case errors.Is(err, ErrUnavailable):
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hooks/r/{secret}", serve)
	mux.HandleFunc("/hooks/r", serve)
	return mux
}

// What the receiver of these tests answers.
const (
	early       = http.StatusNoContent // admitted by the head
	late        = http.StatusAccepted  // admitted by the body
	refused     = http.StatusUnauthorized
	unavailable = http.StatusServiceUnavailable
)

// delivery is a request to a guard's receiver.
type delivery struct {
	method string // blank: POST
	path   string // after /hooks/r
	header http.Header
	body   string
}

// deliver sends it over HTTP.
func deliver(t *testing.T, g *Guard, d delivery) int {
	t.Helper()
	srv := httptest.NewServer(receiver(t, g))
	defer srv.Close()
	return send(t, srv.Client(), srv.URL, d)
}

func send(t *testing.T, client *http.Client, base string, d delivery) int {
	t.Helper()
	if d.method == "" {
		d.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), d.method, base+"/hooks/r"+d.path, strings.NewReader(d.body))
	if err != nil {
		t.Fatal(err)
	}
	if d.header != nil {
		req.Header = d.header
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	return res.StatusCode
}

// head makes a header of names and values.
func head(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key}
	a.cert = a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, key.Public())
	return a
}

// issue signs a certificate that is in force for two days, if it says nothing else.
func (a authority) issue(t *testing.T, template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour)
	}
	parent := a.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// pair is a certificate for one end of a TLS connection.
func (a authority) pair(t *testing.T, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{a.issue(t, template, key.Public()).Raw}, PrivateKey: key}
}

func pemOf(certs ...*x509.Certificate) string {
	var b strings.Builder
	for _, c := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.String()
}

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
