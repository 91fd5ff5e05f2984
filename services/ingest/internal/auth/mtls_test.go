package auth

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// showing is a client of the server that shows these certificates.
func showing(srv *httptest.Server, certs ...tls.Certificate) *http.Client {
	transport := srv.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.Certificates = certs
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport}
}

func TestClientCertificate(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	g := guard(t, registry(config.Quay, config.WebhookAuth{Type: config.MTLSAuth, Subjects: []string{"quay.example.com", "zot sender"}}), Options{})
	srv := httptest.NewUnstartedServer(receiver(t, g))
	srv.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: a.pool(), MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	defer srv.Close()
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, tt := range []struct {
		name string
		cert *x509.Certificate // nil: none
		want int
	}{
		{"none", nil, refused},
		{"DNS name", &x509.Certificate{DNSNames: []string{"other.example.com", "Quay.Example.com"}, ExtKeyUsage: client}, early},
		{"common name", &x509.Certificate{Subject: pkix.Name{CommonName: "zot sender"}, ExtKeyUsage: client}, early},
		{"another's", &x509.Certificate{Subject: pkix.Name{CommonName: "zot"}, DNSNames: []string{"example.com"}, ExtKeyUsage: client}, refused},
		{"for all of a domain", &x509.Certificate{DNSNames: []string{"*.example.com"}, ExtKeyUsage: client}, refused},
		{"nobody's", &x509.Certificate{ExtKeyUsage: client}, refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var shown []tls.Certificate
			if tt.cert != nil {
				shown = append(shown, a.pair(t, tt.cert))
			}
			if got := send(t, showing(srv, shown...), srv.URL, delivery{header: head("Authorization", secret)}); got != tt.want {
				t.Errorf("answered %d, want %d", got, tt.want)
			}
		})
	}
	t.Run("another authority's", func(t *testing.T) {
		pair := stranger.pair(t, &x509.Certificate{DNSNames: []string{"quay.example.com"}, ExtKeyUsage: client})
		// What a listener would hand on that asks for certificates and does not verify them.
		srv := httptest.NewUnstartedServer(receiver(t, g))
		srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
		srv.StartTLS()
		defer srv.Close()
		if got := send(t, showing(srv, pair), srv.URL, delivery{}); got != refused {
			t.Errorf("answered %d", got)
		}
	})
	t.Run("without TLS", func(t *testing.T) {
		if got := deliver(t, g, delivery{}); got != refused {
			t.Errorf("answered %d", got)
		}
	})
}
