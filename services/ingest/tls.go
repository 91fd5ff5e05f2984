package ingest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

// TLS names the PEM files with which ingest proves itself to senders. They are
// read again when they change; new ones that are of no use leave the old in
// place.
type TLS struct {
	Cert string // certificate and what it was issued by
	Key  string
	// ClientCA is what certificates of senders must be issued by; blank: none
	// are asked for. A sender without one is not refused here: whether it must
	// have one is said by each registry's webhook.auth.
	ClientCA string
}

// IsZero reports whether there is no TLS.
func (t TLS) IsZero() bool { return t == TLS{} }

// config reads the files; each handshake uses them as they are then.
func (t TLS) config(log *zap.Logger) (*tls.Config, error) {
	f := &files{tls: t, log: log}
	if _, err := f.current(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.current() },
	}, nil
}

// files holds what was read last.
type files struct {
	tls TLS
	log *zap.Logger

	mu     sync.Mutex
	read   [3]stamp // of the files that loaded was tried with
	loaded *tls.Config
}

// stamp tells versions of a file apart.
type stamp struct {
	modified time.Time
	size     int64
}

// current is the configuration made of the files as they are now, or of the
// last ones that could be used.
func (f *files) current() (*tls.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.stamps()
	if f.loaded != nil && now == f.read {
		return f.loaded, nil
	}
	c, err := f.tls.load()
	switch {
	case err == nil:
		if f.loaded != nil {
			f.log.Info("certificate changed", zap.String("file", f.tls.Cert))
		}
		f.loaded = c
	case f.loaded == nil:
		return nil, err
	default:
		f.log.Error("certificate not changed, the old one stays in use", zap.Error(err))
	}
	f.read = now
	return f.loaded, nil
}

func (f *files) stamps() (s [3]stamp) {
	for i, name := range []string{f.tls.Cert, f.tls.Key, f.tls.ClientCA} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

func (t TLS) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate and key of the webhooks: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{pair}}
	if t.ClientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("read authority of the senders' certificates: %w", err)
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("read authority of the senders' certificates: no certificate in " + t.ClientCA)
	}
	return c, nil
}
