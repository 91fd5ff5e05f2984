package cron

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// patience bounds every wait of a test; a loaded machine is slow.
const patience = 30 * time.Second

// rig is a broker with a stand-in for the worker, which makes sweep records.
type rig struct {
	t        *testing.T
	url      string
	bus      *bus.Bus
	store    *state.Store
	consumer jetstream.Consumer
	messages int // sweeps that were asked for, repetitions included
}

func newRig(t *testing.T) *rig {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(patience) {
		t.Fatal("broker not ready")
	}
	r := &rig{t: t, url: srv.ClientURL()}
	r.bus = r.connect("test", nil)
	if r.store, err = state.Open(t.Context(), r.bus); err != nil {
		t.Fatal(err)
	}
	r.configure("r")
	if r.consumer, err = r.bus.Durable(t.Context(), r.bus.Topology().DueSweeps()); err != nil {
		t.Fatal(err)
	}
	return r
}

// configure makes a rule, as the API does.
func (r *rig) configure(rule string) {
	r.t.Helper()
	value := state.Managed[config.Rule]{Value: config.Rule{Name: rule, Registry: "hub"}}
	if _, err := r.store.Rules.Create(r.t.Context(), failpoint.ConfigRule, rule, value); err != nil {
		r.t.Fatal(err)
	}
}

// remove deletes the rule again.
func (r *rig) remove(rule string) {
	r.t.Helper()
	rec, err := r.store.Rules.Get(r.t.Context(), rule)
	if err == nil {
		err = r.store.Rules.Delete(r.t.Context(), failpoint.ConfigRule, rec)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) log() *zap.Logger {
	return zaptest.NewLogger(r.t, zaptest.Level(zap.WarnLevel))
}

func (r *rig) connect(service string, hook failpoint.Hook) *bus.Bus {
	r.t.Helper()
	b, err := bus.Connect(r.t.Context(), bus.Options{URL: r.url, Service: service, Fail: hook, Log: r.log()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(b.Close)
	return b
}

// replica is a cron that looks when it is told to. hook may end its goroutine,
// which is a crash at that point.
func (r *rig) replica(hook failpoint.Hook) *scheduler {
	r.t.Helper()
	b := r.connect("cron", hook)
	store, err := state.Open(r.t.Context(), b)
	if err != nil {
		r.t.Fatal(err)
	}
	return &scheduler{bus: b, dues: store.Dues, rules: store.Rules, log: r.log()}
}

// look lets a replica look once; it returns when the replica is done or dead.
func look(ctx context.Context, s *scheduler, rules []config.Rule, now time.Time) {
	var running sync.WaitGroup
	running.Go(func() { s.look(ctx, rules, now) })
	running.Wait()
}

// crash ends the goroutine that reaches the point.
func crash(p failpoint.Point, m failpoint.Moment) failpoint.Hook {
	return func(gotP failpoint.Point, gotM failpoint.Moment) {
		if gotP == p && gotM == m {
			runtime.Goexit()
		}
	}
}

// work handles what is on the queue now, as the worker does: a sweep's record
// is made if it is not there, else the message is dropped. The queue itself
// says when it is empty: a consumer learns of a new message a moment after its
// publisher has the confirmation.
func (r *rig) work() {
	r.t.Helper()
	queue, err := r.bus.JetStream().Stream(r.t.Context(), r.bus.Topology().Stream(events.Sweeps))
	if err != nil {
		r.t.Fatal(err)
	}
	for {
		info, err := queue.Info(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		left := int(info.State.Msgs)
		if left == 0 {
			return
		}
		batch, err := r.consumer.Fetch(left, jetstream.FetchMaxWait(patience))
		if err != nil {
			r.t.Fatal(err)
		}
		for m := range batch.Messages() {
			r.handle(m)
		}
		if err := batch.Error(); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) handle(m jetstream.Msg) {
	r.t.Helper()
	if e, err := events.Decode(events.Message{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()}); err == nil {
		r.messages++
		d, ok := e.Data().(events.SweepRequested)
		if !ok || d.Sweep != events.SweepKey(d.Rule, d.DueAt) || e.ID() != "sweep/"+d.Sweep {
			r.t.Errorf("asked for %s: %+v", e.ID(), e.Data())
		}
		_, err := r.store.Sweeps.Create(r.t.Context(), failpoint.SweepCreate, d.Sweep, state.Sweep{Key: d.Sweep, DueAt: d.DueAt})
		if err != nil && !errors.Is(err, state.ErrConflict) {
			r.t.Fatal(err)
		}
	}
	if err := m.DoubleAck(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// sweeps lists the due times for which there are records.
func (r *rig) sweeps() []time.Time {
	r.t.Helper()
	r.work()
	var dues []time.Time
	if err := r.store.Sweeps.All(r.t.Context(), ">", func(s state.Record[state.Sweep]) error {
		dues = append(dues, s.Value.DueAt)
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	slices.SortFunc(dues, time.Time.Compare)
	return dues
}

// shortenWindow makes the broker forget message ids after the least time it
// allows. Connecting replicas set the usual one again.
func (r *rig) shortenWindow() {
	r.t.Helper()
	js := r.bus.JetStream()
	stream, err := js.Stream(r.t.Context(), r.bus.Topology().Stream(events.Sweeps))
	if err != nil {
		r.t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.Duplicates = 100 * time.Millisecond
	if _, err := js.UpdateStream(r.t.Context(), cfg); err != nil {
		r.t.Fatal(err)
	}
}

// passWindow returns when the broker has forgotten all message ids it has seen
// so far: a message of ours, published after them, is no duplicate any more.
func (r *rig) passWindow() {
	r.t.Helper()
	limit, again := time.NewTimer(patience), time.NewTicker(10*time.Millisecond)
	defer limit.Stop()
	defer again.Stop()
	for first := true; ; first = false {
		msg := &nats.Msg{Subject: "landwaiter.sweep.probe", Header: nats.Header{events.HeaderMessageID: {r.t.Name()}}}
		ack, err := r.bus.JetStream().PublishMsg(r.t.Context(), msg)
		if err != nil {
			r.t.Fatal(err)
		}
		if !first && !ack.Duplicate {
			return
		}
		select {
		case <-again.C:
		case <-limit.C:
			r.t.Fatal("the broker still remembers")
		}
	}
}
