package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"github.com/landwaiter/landwaiter/services/internal/app"
)

// listen binds the address of the webhooks, for a bounded number of
// connections. Without TLS the secrets in addresses and headers are readable
// on the way, so that is for this machine alone unless it is asked for.
func listen(ctx context.Context, cfg Config, log *zap.Logger) (net.Listener, error) {
	ln := cfg.Listener
	if ln == nil {
		var err error
		if ln, err = app.Listen(ctx, cfg.Listen); err != nil {
			return nil, err
		}
	}
	if cfg.TLS.IsZero() && !loopback(ln.Addr()) {
		if !cfg.PlainHTTP {
			return nil, errors.Join(fmt.Errorf("webhooks on %s would be in plain HTTP, which shows their secrets on the way: "+
				"set LANDWAITER_INGEST_TLS_CERT and LANDWAITER_INGEST_TLS_KEY, or LANDWAITER_INGEST_PLAIN_HTTP=true behind a proxy that does TLS",
				ln.Addr()), ln.Close())
		}
		log.Warn("webhooks in plain HTTP: their secrets are readable on the way to here", zap.Stringer("address", ln.Addr()))
	}
	return netutil.LimitListener(ln, cfg.Connections), nil
}

func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// httpServer bounds everything a sender can draw out or pile up.
func httpServer(cfg Config, r *receiver, log *zap.Logger) (*http.Server, error) {
	const (
		header      = 5 * time.Second
		answer      = 15 * time.Second // beside reading: waiting for room and for the broker
		idle        = 2 * time.Minute
		headerBytes = 64 << 10
		streams     = 100 // requests at a time over one HTTP/2 connection
	)
	srv := &http.Server{
		Handler:           r.handler(),
		ReadHeaderTimeout: min(header, cfg.ReadTimeout),
		ReadTimeout:       cfg.ReadTimeout,
		WriteTimeout:      cfg.ReadTimeout + answer,
		IdleTimeout:       idle,
		MaxHeaderBytes:    headerBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: streams},
		ErrorLog:          standardLog(log),
	}
	if cfg.TLS.IsZero() {
		return srv, nil
	}
	var err error
	srv.TLSConfig, err = cfg.TLS.config(log)
	return srv, err
}
