package ingest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Run serves until ctx ends, then finishes the deliveries in hand within
// Config.Grace and returns nil.
func Run(ctx context.Context, cfg Config, log *zap.Logger) error {
	cfg = cfg.withDefaults()
	registry := app.Metrics()
	m := newMetrics(registry)
	var ready atomic.Pointer[func() error]
	return app.Group(ctx,
		app.Part{Name: "admin", Run: func(ctx context.Context) error {
			return app.Admin(ctx, cfg.Admin, func() error {
				if check := ready.Load(); check != nil {
					return (*check)()
				}
				return errors.New("waiting for the broker")
			}, registry)
		}},
		app.Part{Name: "webhooks", Run: func(ctx context.Context) error {
			return serve(ctx, cfg, m, log, func(check func() error) { ready.Store(&check) })
		}},
	)
}

func serve(ctx context.Context, cfg Config, m *metrics, log *zap.Logger, announce func(ready func() error)) error {
	ln, err := listen(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }() // twice where it served: the second does nothing
	b, err := bus.Connect(ctx, cfg.Bus)
	if err != nil {
		return err
	}
	defer b.Close()
	store, err := state.Open(ctx, b)
	if err != nil {
		return err
	}
	if _, err := app.LoadConfig(ctx, store, cfg.File); err != nil {
		return err
	}
	d := newDirectory(cfg, log)
	r := &receiver{
		directory: d, bus: b, metrics: m, log: log,
		bodyLimit: cfg.BodyLimit, room: newRoom(cfg.Memory), amazon: amazon(), now: time.Now,
	}
	srv, err := httpServer(cfg, r, log)
	if err != nil {
		return err
	}
	announce(func() error {
		if !b.Connected() {
			return errors.New("broker not connected")
		}
		return d.ready()
	})
	log.Info("webhooks served", zap.Stringer("address", ln.Addr()))
	return app.Group(ctx,
		app.Part{Name: "registries", Run: func(ctx context.Context) error {
			return app.Follow(ctx, store.Registries, log, d.setRegistries)
		}},
		app.Part{Name: "rules", Run: func(ctx context.Context) error {
			return app.Follow(ctx, store.Rules, log, d.setRules)
		}},
		app.Part{Name: "defaults", Run: func(ctx context.Context) error {
			return app.Follow(ctx, store.Defaults, log, d.setDefaults)
		}},
		app.Part{Name: "replays", Run: r.replays},
		app.Part{Name: "subscriptions", Run: r.subscriptions},
		app.Part{Name: "http", Run: func(ctx context.Context) error {
			return app.Serve(ctx, ln, srv, cfg.Grace)
		}},
	)
}
