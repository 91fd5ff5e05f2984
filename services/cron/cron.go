package cron

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

// Run publishes due sweeps until ctx ends, and returns nil then.
func Run(ctx context.Context, cfg Config, log *zap.Logger) error {
	cfg = cfg.withDefaults()
	var ready atomic.Pointer[func() error]
	return app.Group(ctx,
		app.Part{Name: "admin", Run: func(ctx context.Context) error {
			return app.Admin(ctx, cfg.Admin, func() error {
				if check := ready.Load(); check != nil {
					return (*check)()
				}
				return errors.New("waiting for the broker")
			}, app.Metrics())
		}},
		app.Part{Name: "clock", Run: func(ctx context.Context) error {
			return run(ctx, cfg, log, func(check func() error) { ready.Store(&check) })
		}},
	)
}

func run(ctx context.Context, cfg Config, log *zap.Logger, announce func(ready func() error)) error {
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
	t := &timetable{changed: make(chan struct{}, 1)}
	s := &scheduler{bus: b, dues: store.Dues, rules: store.Rules, log: log}
	announce(func() error {
		if !b.Connected() {
			return errors.New("broker not connected")
		}
		return t.ready()
	})
	return app.Group(ctx,
		app.Part{Name: "rules", Run: func(ctx context.Context) error {
			return app.Follow(ctx, store.Rules, log, t.setRules)
		}},
		app.Part{Name: "defaults", Run: func(ctx context.Context) error {
			return app.Follow(ctx, store.Defaults, log, t.setDefaults)
		}},
		app.Part{Name: "look", Run: func(ctx context.Context) error {
			watch(ctx, cfg, t, s)
			return nil
		}},
	)
}

// watch looks at every tick, and at once when a rule was changed.
func watch(ctx context.Context, cfg Config, t *timetable, s *scheduler) {
	tick := time.NewTicker(cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-t.changed:
		}
		rules, known := t.rules()
		if !known {
			continue
		}
		s.forget(ctx, rules)
		s.look(ctx, rules, cfg.Now())
	}
}
