package bus_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
)

const (
	patience = 15 * time.Second
	prompt   = 3 * time.Second // below the wait of a pull request
	// short is a lease that a test can wait for, and a busy machine renew.
	short = 900 * time.Millisecond
)

// pushed is a fact of the kind the tests' consumer reads.
func pushed(t *testing.T, id string) events.Event {
	t.Helper()
	return fact(t, events.ImagePushed, id)
}

func fact(t *testing.T, kind events.Kind, id string) events.Event {
	t.Helper()
	now := time.Now()
	e, err := events.New(events.RegistryEvent{
		Kind: kind, Registry: "hub", Host: "hub.example", Repository: "a/b", Tag: "v1",
		Action: events.ActionPush, ReceivedAt: now, Source: "test",
	}, events.Meta{ID: id, Source: "ingest/hub", Time: now})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// durable reads pushed facts; no other consumer of the installation is like it.
func durable(lease time.Duration) events.Durable {
	return events.Durable{
		Name: "test", Stream: events.Registry, Lease: lease,
		Filters: []string{"landwaiter.registry.image.pushed.>"},
	}
}

func publish(t *testing.T, b *bus.Bus, e events.Event) {
	t.Helper()
	if err := b.Publish(t.Context(), failpoint.IngestPublish, e); err != nil {
		t.Fatal(err)
	}
}

// consume runs the consumption until stop, or the test's end.
func consume(t *testing.T, b *bus.Bus, c bus.Consumption) (stop func()) {
	t.Helper()
	if c.Slots == nil {
		c.Slots = bus.NewPool(4).Share(4)
	}
	if c.Ack == "" {
		c.Ack = failpoint.PlanAck
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := b.Consume(ctx, c); err != nil {
			t.Errorf("Consume: %v", err)
		}
	})
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return stop
}

// receive waits for a value.
func receive[T any](t *testing.T, c <-chan T, within time.Duration, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(within):
		t.Fatalf("no %s within %s", what, within)
		panic("unreachable")
	}
}

// until polls for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// settled waits until the consumer has nothing out and nothing to come.
func settled(t *testing.T, b *bus.Bus, d events.Durable) {
	t.Helper()
	until(t, "all messages of "+d.Name+" settled", func() bool {
		cons, err := b.JetStream().Consumer(t.Context(), b.Topology().Stream(d.Stream), d.Name)
		if err != nil {
			return false
		}
		info := cons.CachedInfo()
		return info.NumAckPending == 0 && info.NumPending == 0
	})
}

// dead returns the messages on the DEAD stream, once there are n.
func dead(t *testing.T, b *bus.Bus, n uint64) []*jetstream.RawStreamMsg {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), b.Topology().Stream(events.Dead))
	if err != nil {
		t.Fatal(err)
	}
	var last uint64
	until(t, "dead letters", func() bool {
		info, err := s.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		last = info.State.LastSeq
		return last >= n
	})
	var all []*jetstream.RawStreamMsg
	for seq := uint64(1); seq <= last; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func start(t *testing.T) (*natstest.Server, *bus.Bus) {
	t.Helper()
	t.Parallel()
	srv := natstest.Start(t)
	return srv, natstest.Bus(t, srv, "one")
}
