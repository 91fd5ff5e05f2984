package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/cron"
	"github.com/landwaiter/landwaiter/services/ingest"
	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/broker"
	"github.com/landwaiter/landwaiter/services/report"
	"github.com/landwaiter/landwaiter/services/worker"
)

// Audience hears how far the pipeline is. It is told on several goroutines.
type Audience interface {
	// Token is told the admin's token, once in an installation's life.
	Token(token string)
	// Serving is told when the API answers, and where.
	Serving(s Serving)
	// Database is told which advisory database is in use, at first and after
	// each change; its zero value is none.
	Database(d state.Database)
}

// Serving is what answers where.
type Serving struct {
	Console string // URL
	Hooks   string // host:port
	// Document is the configuration file's.
	Document config.Document
}

// Run starts everything and returns when ctx has ended and everything has
// stopped: the services first, each with its store, the broker last. progress
// hears of layers as they are read; nil: nobody does.
func Run(ctx context.Context, c Config, audience Audience, progress func(worker.Progress), log *zap.Logger) error {
	if c.Embedded {
		b, err := broker.Start(c.folder.Path("nats"), log)
		if err != nil {
			return err
		}
		defer b.Stop()
		c.connect(b)
	}
	if err := c.listen(ctx); err != nil {
		return err
	}
	defer c.closeListeners()
	if c.public == "" {
		c.public = "http://" + c.hooks()
	}
	c.report.WebhookURL = webhookURL(c.public, c.ingest.Secrets)
	c.bus.Log = log
	b, err := bus.Connect(ctx, c.bus)
	if err != nil {
		return err
	}
	defer b.Close()
	st, err := state.Open(ctx, b)
	if err != nil {
		return err
	}
	doc, err := app.LoadConfig(ctx, st, c.File)
	if err != nil {
		return err
	}
	c.report.AnnounceToken = audience.Token
	c.worker.Progress = progress
	return app.Group(ctx, c.parts(b, st, doc, audience, log)...)
}

// connect makes every service a client inside this process.
func (c *Config) connect(b *broker.Broker) {
	for _, o := range []*bus.Options{&c.bus, &c.ingest.Bus, &c.cron.Bus, &c.worker.Bus, &c.report.Bus} {
		o.Extra = append(o.Extra, b.Connection()...)
		o.SharedSync = true // the embedded broker syncs before it confirms
	}
}

// listen binds the addresses before anything is started: an address that is
// taken is the most frequent mistake.
func (c *Config) listen(ctx context.Context) error {
	var err error
	if c.report.Listener, err = app.Listen(ctx, c.HTTP); err != nil {
		return fmt.Errorf("console and API: %w; name another address with --http", err)
	}
	if c.ingest.Listener, err = app.Listen(ctx, c.Hooks); err != nil {
		return errors.Join(fmt.Errorf("webhooks: %w; name another address with --ingest", err), c.report.Listener.Close())
	}
	return nil
}

// hooks is where the webhooks are listened for, as this machine reaches it.
func (c *Config) hooks() string { return reachable(c.ingest.Listener.Addr().String()) }

// closeListeners is for a way out before the services have them; later it does
// nothing.
func (c *Config) closeListeners() {
	for _, ln := range []net.Listener{c.report.Listener, c.ingest.Listener} {
		_ = ln.Close()
	}
}

// parts is everything that runs, a line each.
func (c *Config) parts(b *bus.Bus, st *state.Store, doc config.Document, audience Audience, log *zap.Logger) []app.Part {
	log = log.WithOptions(zap.WithCaller(false))
	named := func(name string, run func(context.Context, *zap.Logger) error) app.Part {
		return app.Part{Name: name, Run: func(ctx context.Context) error { return run(ctx, log.Named(name)) }}
	}
	var serving atomic.Bool
	return []app.Part{
		named("ingest", func(ctx context.Context, log *zap.Logger) error {
			c.ingest.Bus.Log = log
			return ingest.Run(ctx, c.ingest, log)
		}),
		named("cron", func(ctx context.Context, log *zap.Logger) error {
			c.cron.Bus.Log = log
			return cron.Run(ctx, c.cron, log)
		}),
		named("worker", func(ctx context.Context, log *zap.Logger) error {
			c.worker.Bus.Log = log
			return worker.Run(ctx, c.worker, log)
		}),
		named("report", func(ctx context.Context, log *zap.Logger) error {
			c.report.Bus.Log = log
			return report.Run(ctx, c.report, log)
		}),
		named("admin", func(ctx context.Context, _ *zap.Logger) error {
			return app.Admin(ctx, c.Admin, func() error {
				switch {
				case !b.Connected():
					return errors.New("broker not connected")
				case !serving.Load():
					return errors.New("waiting for the API")
				}
				return nil
			}, app.Metrics())
		}),
		named("database", func(ctx context.Context, log *zap.Logger) error { return followDatabase(ctx, st, audience, log) }),
		named("welcome", func(ctx context.Context, _ *zap.Logger) error {
			s := Serving{
				Console:  "http://" + reachable(c.report.Listener.Addr().String()) + "/",
				Hooks:    c.hooks(),
				Document: doc,
			}
			if err := answers(ctx, s.Console); err != nil {
				return err
			}
			serving.Store(true)
			audience.Serving(s)
			return nil
		}),
	}
}
