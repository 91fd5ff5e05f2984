package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics returns a registry that holds the process's and the runtime's own
// figures. A service adds its own and gives it to Admin.
func Metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// Admin serves /livez, /readyz and /metrics on addr until ctx ends; with a
// blank addr it only waits for that. ready tells what the service still waits
// for, nil once it works.
func Admin(ctx context.Context, addr string, ready func() error, metrics prometheus.Gatherer) error {
	if addr == "" {
		<-ctx.Done()
		return nil
	}
	ln, err := Listen(ctx, addr)
	if err != nil {
		return err
	}
	return serveAdmin(ctx, ln, ready, metrics)
}

func serveAdmin(ctx context.Context, ln net.Listener, ready func() error, metrics prometheus.Gatherer) error {
	const (
		header  = 5 * time.Second
		request = 10 * time.Second
		idle    = time.Minute
		grace   = time.Second
	)
	srv := &http.Server{
		Handler:           adminHandler(ready, metrics),
		ReadHeaderTimeout: header, ReadTimeout: request, WriteTimeout: request, IdleTimeout: idle,
	}
	return Serve(ctx, ln, srv, grace)
}

func adminHandler(ready func() error, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "live") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			say(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		say(w, http.StatusOK, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}
