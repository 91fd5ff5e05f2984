package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 30 * time.Second // until the first byte of an answer
	maxHeader     = 64 << 10
	maxPEM        = 1 << 20
)

// newTransport makes the connection pool of one registry.
func newTransport(cfg config.Registry, dialer *dialer, proxies proxies) (*http.Transport, error) {
	tlsConfig, err := newTLS(cfg.TLS)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  dialer.proxied(func(r *http.Request) (*url.URL, error) { return proxies.of(r.URL) }),
		OnProxyConnectResponse: proxies.answered,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // a digest is that of the bytes as they are sent
	}, nil
}

func newTLS(cfg config.TLS) (*tls.Config, error) {
	out := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: cfg.InsecureSkipVerify, //nolint:gosec // the configuration asks for it by this name
	}
	if cfg.CA != "" {
		pem, err := readFile(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("read tls.ca: %w", err)
		}
		if out.RootCAs, err = x509.SystemCertPool(); err != nil {
			out.RootCAs = x509.NewCertPool()
		}
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: tls.ca %s holds no certificate", ErrInvalid, cfg.CA)
		}
	}
	if cfg.Cert != "" || cfg.Key != "" {
		cert, err := readFile(cfg.Cert)
		if err != nil {
			return nil, fmt.Errorf("read tls.cert: %w", err)
		}
		key, err := readFile(cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("read tls.key: %w", err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%w: tls.cert and tls.key: %w", ErrInvalid, err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

func readFile(name string) (b []byte, err error) {
	f, err := os.Open(name) //nolint:gosec // the path is the operator's own configuration
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return readAll(io.Reader(f), -1, maxPEM)
}
