package report

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/landwaiter/landwaiter/services/report/internal/access"
	"github.com/landwaiter/landwaiter/services/report/internal/api"
	"github.com/landwaiter/landwaiter/services/report/internal/console"
	"github.com/landwaiter/landwaiter/services/report/internal/feed"
	"github.com/landwaiter/landwaiter/services/report/internal/project"
)

// The HTTP server's limits. Streams and a rebuild lift those on their own
// connection.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// server puts guard, API and console together.
func (s *service) server(ctx context.Context, registry prometheus.Registerer) (*http.Server, error) {
	token, err := access.Open(ctx, s.state.Tokens, s.cfg.AdminToken, s.announce)
	if err != nil {
		return nil, err
	}
	sessions, err := access.NewSessions(s.cfg.AdminToken)
	if err != nil {
		return nil, err
	}
	guard := access.Guard{Token: token, Sessions: sessions, Hosts: s.cfg.Hosts}
	a := &api.API{
		Bus: s.bus, State: s.state, View: s.view, Projector: s.projector, Keeper: s.keeper,
		Catchup: project.NewCatchup(s.projector), Feed: feed.New(s.bus), WebhookURL: s.cfg.WebhookURL,
		Stopping: ctx.Done(), Log: s.log.Named("api"),
	}
	pages, err := console.New(console.Options{
		View: s.view, Projector: s.projector, Keeper: s.keeper, State: s.state, Guard: guard,
		WebhookURL: s.cfg.WebhookURL, Log: s.log.Named("console"),
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", guard.Admin(a.Handler(), http.HandlerFunc(access.Unauthorized)))
	mux.Handle("/", pages.Handler())
	counts := newMetrics(registry, a.Streams, s.projector.Counts)
	return &http.Server{
		Handler:           guard.Protect(counts.counted(mux)),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
	}, nil
}
