package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/feed"
	"github.com/landwaiter/landwaiter/services/worker/internal/fingerprint"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/keeper"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layers"
	"github.com/landwaiter/landwaiter/services/worker/internal/ledger"
	"github.com/landwaiter/landwaiter/services/worker/internal/places"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
	"github.com/landwaiter/landwaiter/services/worker/internal/rematch"
	"github.com/landwaiter/landwaiter/services/worker/internal/scan"
	"github.com/landwaiter/landwaiter/services/worker/internal/sweep"
)

// programPages is about how many bytes of the program a worker has resident.
const programPages = 24 << 20

// Run is the service. It returns nil when ctx ended and all work in hand was
// finished or given back.
func Run(ctx context.Context, cfg Config, log *zap.Logger) (err error) {
	cfg = cfg.withDefaults()
	cfg.Bus.Log = log
	// GOMEMLIMIT does not count the pages of the program itself.
	debug.SetMemoryLimit(debug.SetMemoryLimit(-1) - programPages)
	defer func() { debug.SetMemoryLimit(debug.SetMemoryLimit(-1) + programPages) }()
	if cfg.Dir == "" {
		if cfg.Dir, err = os.MkdirTemp("", "landwaiter-worker-*"); err != nil {
			return fmt.Errorf("worker: data folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.Dir)) }()
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return fmt.Errorf("worker: data folder: %w", err)
	}
	if err := start(ctx, cfg, log); ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		return err
	}
	return nil // told to stop before it was up
}

func start(ctx context.Context, cfg Config, log *zap.Logger) error {
	b, err := bus.Connect(ctx, cfg.Bus)
	if err != nil {
		return err
	}
	defer b.Close()
	st, err := state.Open(ctx, b)
	if err != nil {
		return err
	}
	doc, err := app.LoadConfig(ctx, st, cfg.File)
	if err != nil {
		return err
	}
	w, err := newWorker(cfg, doc, b, st, log)
	if err != nil {
		return err
	}
	return errors.Join(w.run(ctx), w.databases.Close())
}

// worker holds the parts; each has its own package.
type worker struct {
	cfg        Config
	bus        *bus.Bus
	state      *state.Store
	log        *zap.Logger
	registries *registries.Set
	databases  *assess.Databases
	planner    *plan.Planner
	sweeper    *sweep.Sweeper
	scanner    *scan.Scanner
	pushed     *layers.Pushed
	matcher    *rematch.Matcher
	keeper     *keeper.Keeper
	trials     *registries.Trials
	feed       *feed.Feed
	metrics    *prometheus.Registry
	name       string
	ready      atomic.Bool
}

func newWorker(cfg Config, doc config.Document, b *bus.Bus, st *state.Store, log *zap.Logger) (*worker, error) {
	reader, known, err := newEngine(cfg.Fingerprints, cfg.Limits)
	if err != nil {
		return nil, err
	}
	// An image's inventory depends on the list, those of its layers do not.
	engine := layers.EngineKey(reader.Engine() + known.Version())
	now := time.Now
	name := "worker-" + uuid.NewString()
	w := &worker{cfg: cfg, bus: b, state: st, metrics: app.Metrics(), log: log, name: name}
	w.registries = registries.New(credentials(doc, cfg.Secrets), log)
	w.databases = &assess.Databases{State: st, Dir: cfg.Dir, Log: log.Named("databases")}
	teller := assess.Teller{Bus: b, State: st, Now: now, Log: log.Named("findings")}
	checker := &places.Checker{
		Announcer: places.Announcer{Bus: b, State: st}, Registries: w.registries, Now: now, Log: log.Named("places"),
	}
	book := ledger.Book{State: st, Log: log.Named("ledger")}
	shelf := &layers.Shelf{
		Ledger: book,
		State:  st, Reader: reader, Engine: layers.EngineKey(reader.Engine()), Known: known, Worker: name, Lease: cfg.Lease,
		Flight: make(chan struct{}, cfg.Layers), Express: make(chan struct{}, 1), Now: now, Log: log.Named("layers"),
	}
	w.planner = &plan.Planner{
		Bus: b, State: st, Registries: w.registries, Checker: checker, Engine: engine, Deadline: cfg.JobDeadline, Ledger: book, Now: now, Log: log.Named("plan"),
		Placed: placed(w.metrics),
	}
	w.sweeper = &sweep.Sweeper{
		Bus: b, State: st, Registries: w.registries, Planner: w.planner, Checker: checker,
		Worker: name, Lease: cfg.Lease, Now: now, Log: log.Named("sweep"),
	}
	w.scanner = &scan.Scanner{
		Bus: b, State: st, Registries: w.registries, Shelf: shelf, Databases: w.databases, Teller: teller, Engine: engine,
		Worker: name, Lease: cfg.Lease, Retry: cfg.Retry, Progress: cfg.Progress, Now: now, Log: log.Named("scan"),
	}
	w.pushed = &layers.Pushed{
		Shelf: shelf, Registries: w.registries, Most: pushedLayerMost, Log: log.Named("layers"),
		Wanted: w.planner.LayerWanted,
	}
	inventories, err := inventory.NewDecoder(sharedPackages)
	if err != nil {
		return nil, err
	}
	w.matcher = &rematch.Matcher{
		Bus: b, State: st, Databases: w.databases, Teller: teller, Inventories: inventories, Now: now, Log: log.Named("rematch"),
	}
	renewal := &assess.Renewal{State: st, Databases: w.databases, Inventories: inventories, Log: log.Named("renewal")}
	w.keeper = &keeper.Keeper{
		Bus: b, State: st, Checker: checker, Databases: w.databases, Renewal: renewal, Verdicts: keeper.NewVerdicts(w.metrics), Worker: name, Announce: w.scanner.Announce, Tick: cfg.KeeperEvery, WakeAfter: 3 * cfg.Lease,
		JobRetention: cfg.JobRetention, CheckEvery: cfg.CheckEvery, CollectEvery: cfg.CollectEvery, Now: now, Log: log.Named("keeper"),
	}
	w.trials = &registries.Trials{State: st, Registries: w.registries, Worker: name, Now: now, Log: log.Named("trials")}
	w.feed = &feed.Feed{
		State: st, Source: cfg.source(doc), EPSS: cfg.EPSS, KEV: cfg.KEV, Ecosystems: doc.Advisories.Ecosystems, Fallback: cfg.SampleAdvisories,
		Dir: cfg.Dir, Every: cfg.AdvisoriesEvery, Outcomes: feed.NewOutcomes(w.metrics), Now: now, Log: log.Named("feed"),
	}
	return w, nil
}

const (
	// sharedPackages is how many bytes of packages are remembered while verdicts
	// are made again: about fifteen thousand, which a thousand images have that
	// stand on a few bases.
	sharedPackages = 16 << 20
	// pushedLayerMost is the size up to which a layer is read before any
	// image names it.
	pushedLayerMost = 1 << 30
	// sweepTurns is how many sweeps have their turn at a time. They mostly wait
	// for registries.
	sweepTurns = 4
	// factAge is how long a fact that cannot be handled is tried.
	factAge = 24 * time.Hour
)

// newEngine makes what reads layers. Files are hashed only with a list of known
// ones to hold the hashes against.
func newEngine(fingerprints string, limits Limits) (reader *layer.Reader, known *fingerprint.List, err error) {
	if limits == (Limits{}) {
		limits = layer.DefaultLimits()
	}
	limits = limits.Within(debug.SetMemoryLimit(-1))
	if fingerprints != "" {
		if known, err = fingerprint.Load(fingerprints); err != nil {
			return nil, nil, err
		}
		limits = limits.WithFingerprints()
	}
	set, err := extract.New(limits.Archives)
	if err != nil {
		return nil, nil, err
	}
	return layer.NewReader(set, limits), known, nil
}

// credentials resolves the document's credentials by name. Values are read
// each time a client is made, so that a rotated secret is found.
func credentials(doc config.Document, dir string) registries.Credentials {
	return func(name string) (config.Resolved, error) {
		if name == "" {
			return config.Resolved{}, nil
		}
		for _, c := range doc.Credentials {
			if c.Name == name {
				return c.Resolve(dir, os.Getenv)
			}
		}
		return config.Resolved{}, fmt.Errorf("credential %q is not defined: add it to this worker's configuration file", name)
	}
}

// run starts following, and when what there is is known, everything else.
func (w *worker) run(ctx context.Context) error {
	known := make(chan struct{}, 2)
	signal := func() { known <- struct{}{} }
	return app.Group(ctx,
		app.Part{Name: "configuration", Run: func(ctx context.Context) error {
			return w.registries.Follow(ctx, w.state, signal)
		}},
		app.Part{Name: "databases", Run: func(ctx context.Context) error {
			return w.databases.Follow(ctx, signal, func() {})
		}},
		app.Part{Name: "admin", Run: func(ctx context.Context) error {
			return app.Admin(ctx, w.cfg.Admin, w.readiness, w.metrics)
		}},
		app.Part{Name: "roles", Run: func(ctx context.Context) error {
			for range cap(known) {
				select {
				case <-known:
				case <-ctx.Done():
					return nil
				}
			}
			w.ready.Store(true)
			w.log.Info("worker ready", zap.Strings("os", w.cfg.OS), zap.Strings("pools", w.cfg.Pools))
			return app.Group(ctx, w.roles()...)
		}},
	)
}

func (w *worker) readiness() error {
	switch {
	case !w.ready.Load():
		return errors.New("configuration not read yet")
	case !w.bus.Connected():
		return errors.New("broker not connected")
	default:
		return nil
	}
}

// roles is what a worker does, a line each.
func (w *worker) roles() []app.Part {
	t := w.bus.Topology()
	planning := bus.NewPool(w.cfg.Slots).Share(w.cfg.Slots)
	sweeps := bus.NewPool(sweepTurns).Share(sweepTurns)
	pushed := bus.NewPool(w.cfg.Layers).Share(w.cfg.Layers)
	matching := bus.NewPool(w.cfg.Slots).Share(w.cfg.Slots)
	parts := []app.Part{
		w.consume("plan", bus.Consumption{Durable: t.PlanFacts(), Handle: w.planner.Fact, Slots: planning, Ack: failpoint.PlanAck, MaxAge: factAge}),
		w.consume("requests", bus.Consumption{Durable: t.PlanRequests(), Handle: w.planner.Request, Slots: planning, Ack: failpoint.RequestsAck, MaxAge: factAge}),
		w.consume("layers", bus.Consumption{Durable: t.LayerFacts(), Handle: w.pushed.Fact, Slots: pushed, Ack: failpoint.LayersAck, MaxAge: time.Hour}),
		w.consume("sweeps", bus.Consumption{Durable: t.DueSweeps(), Handle: w.sweeper.Due, Slots: sweeps, Ack: failpoint.SweepsAck, MaxAge: factAge}),
		w.consume("rematch", bus.Consumption{Durable: t.Rematches(), Handle: w.matcher.Handle, Slots: matching, Ack: failpoint.RematchAck, MaxAge: factAge}),
		{Name: "keeper", Run: w.keeper.Run},
		{Name: "signs of life", Run: w.sign},
		{Name: "trials", Run: w.trials.Run},
	}
	if w.feed.Source != NoAdvisories {
		parts = append(parts, app.Part{Name: "feed", Run: w.feed.Run})
	}
	return append(parts, w.lanes()...)
}

// lanes is a consumer for each lane, OS and pool. Sweeps leave a slot free.
func (w *worker) lanes() []app.Part {
	pool := bus.NewPool(w.cfg.Slots)
	fast, slow := pool.Share(w.cfg.Slots), pool.Share(w.cfg.Slots-1)
	var parts []app.Part
	for _, lane := range events.Lanes() {
		slots := fast
		if lane == events.LaneSweep {
			slots = slow
		}
		for _, os := range w.cfg.OS {
			for _, p := range w.cfg.Pools {
				d := w.bus.Topology().ScanWakeUps(lane, os, p)
				parts = append(parts, w.consume(d.Name, bus.Consumption{
					Durable: d, Handle: w.scanner.WakeUp, Slots: slots, Ack: failpoint.ScanAck,
				}))
			}
		}
	}
	return parts
}

func (w *worker) consume(name string, c bus.Consumption) app.Part {
	c.Durable.Lease = w.cfg.Lease
	c.Grace = w.cfg.Grace
	return app.Part{Name: name, Run: func(ctx context.Context) error { return w.bus.Consume(ctx, c) }}
}
