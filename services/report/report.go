// Package report is the report service: it keeps a view of the state in Redis,
// and serves it as an API, a stream of events and a console.
package report

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/project"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// Run serves until ctx ends, then stops within Config.Grace and returns nil.
func Run(ctx context.Context, cfg Config, log *zap.Logger) (err error) {
	cfg = cfg.withDefaults()
	ln, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	// Serving closes it; this is for every way out before that.
	defer func() { _ = ln.Close() }() // closed twice most of the time
	b, err := bus.Connect(ctx, cfg.Bus)
	if err != nil {
		return ended(ctx, err)
	}
	defer b.Close()
	store, err := state.Open(ctx, b)
	if err != nil {
		return ended(ctx, err)
	}
	client := cfg.Redis
	if client == nil {
		o := cfg.Store
		if o.Log == nil {
			o.Log = log
		}
		opened, _, closeStore, openErr := OpenStore(ctx, o)
		if openErr != nil {
			return ended(ctx, openErr)
		}
		defer func() { err = errors.Join(err, closeStore()) }()
		client = opened
	}
	s := &service{cfg: cfg, bus: b, state: store, redis: client, log: log}
	s.view = view.New(client, viewPrefix(cfg.Bus.Topology), b.Fail())
	s.projector = project.New(store, s.view, log)
	s.keeper = project.NewKeeper(s.projector, project.KeeperOptions{
		Every: cfg.SweepEvery, Workers: cfg.Workers, ResultsAge: cfg.Bus.Topology.ResultsAge,
	}, log)
	return ended(ctx, s.run(ctx, ln))
}

// ended drops what failed only because the service was told to stop.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func listen(ctx context.Context, cfg Config) (net.Listener, error) {
	if cfg.Listener != nil {
		return cfg.Listener, nil
	}
	return app.Listen(ctx, cfg.HTTP)
}

// viewPrefix keeps installations that share a Redis apart, as their prefix
// does on the broker.
func viewPrefix(t events.Topology) string {
	if t.Prefix == "" || t.Prefix == events.DefaultPrefix {
		return view.DefaultPrefix
	}
	return view.DefaultPrefix + "-" + t.Prefix
}

// service is a running report service.
type service struct {
	cfg       Config
	bus       *bus.Bus
	state     *state.Store
	redis     *redis.Client
	view      *view.View
	projector *project.Projector
	keeper    *project.Keeper
	log       *zap.Logger
}

func (s *service) run(ctx context.Context, ln net.Listener) error {
	metrics := app.Metrics()
	srv, err := s.server(ctx, metrics)
	if err != nil {
		return err
	}
	s.log.Info("report serving", zap.String("address", "http://"+ln.Addr().String()))
	return app.Group(ctx,
		app.Part{Name: "results", Run: s.consume},
		app.Part{Name: "keeper", Run: func(ctx context.Context) error { s.keeper.Run(ctx); return nil }},
		app.Part{Name: "http", Run: func(ctx context.Context) error { return app.Serve(ctx, ln, srv, s.cfg.Grace) }},
		app.Part{Name: "admin", Run: func(ctx context.Context) error {
			return app.Admin(ctx, s.cfg.Admin, s.ready, metrics)
		}},
	)
}

// maxEventAge is how old a result may be that still cannot be projected. It is
// far above any outage that the next rebuild does not make good.
const maxEventAge = 24 * time.Hour

func (s *service) consume(ctx context.Context) error {
	return s.bus.Consume(ctx, bus.Consumption{
		Durable: s.bus.Topology().ReportResults(),
		Handle:  s.projector.Handle,
		Slots:   bus.NewPool(s.cfg.Workers).Share(s.cfg.Workers),
		Ack:     failpoint.ReportAck,
		MaxAge:  maxEventAge,
		Grace:   s.cfg.Grace,
	})
}

// pingTimeout is how long the store may take to answer before the service does
// not count as ready.
const pingTimeout = 2 * time.Second

// ready says what keeps the service from telling the truth.
func (s *service) ready() error {
	if !s.bus.Connected() {
		return errors.New("the broker is not connected")
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	if err := s.redis.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("the view's store does not answer: %w", err)
	}
	if whole, err := s.keeper.Whole(ctx); err != nil || !whole {
		return errors.Join(err, errors.New("the view is being built from the state"))
	}
	return nil
}

func (s *service) announce(token string) {
	if s.cfg.AnnounceToken != nil {
		s.cfg.AnnounceToken(token)
		return
	}
	s.log.Warn(fmt.Sprintf("admin token generated: %s (it is not shown again)", token))
}
