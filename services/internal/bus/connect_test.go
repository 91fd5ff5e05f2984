package bus_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
)

func TestManyServicesProvisionAtOnce(t *testing.T) {
	t.Parallel()
	srv := natstest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	core, logged := observer.New(zap.WarnLevel)
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			// A refusal would be logged and tried again: none is wanted.
			log := zap.New(core).With(zap.Int("service", n))
			b, err := bus.Connect(ctx, bus.Options{URL: srv.ClientURL(), Service: fmt.Sprintf("s%d", n), Log: log})
			if err != nil {
				t.Errorf("service %d: %v", n, err)
				return
			}
			b.Close()
		})
	}
	all.Wait()
	for _, entry := range logged.All() {
		t.Errorf("%s: %v", entry.Message, entry.ContextMap())
	}
}

func TestConnectWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	srv := natstest.Start(t)
	url := srv.ClientURL()
	srv.Stop()
	o := bus.Options{URL: url, Service: "early", Log: zap.NewNop()}

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if b, err := bus.Connect(short, o); err == nil {
		b.Close()
		t.Fatal("connected to a broker that is not there")
	}
	connected := make(chan error, 1)
	go func() {
		b, err := bus.Connect(t.Context(), o)
		if err == nil {
			b.Close()
		}
		connected <- err
	}()
	srv.Resume(t)
	if err := receive(t, connected, patience, "connection"); err != nil {
		t.Error(err)
	}
}

func TestPrefixesDoNotMeet(t *testing.T) {
	srv, ours := start(t)
	theirs := natstest.Connect(t, srv, bus.Options{Service: "other", Topology: events.Topology{Prefix: "acme"}})
	came := make(chan string, 4)
	reader := func(b *bus.Bus, name string) {
		consume(t, b, bus.Consumption{Durable: b.Topology().PlanFacts(), Handle: func(_ context.Context, d bus.Delivery) error {
			came <- name + " got " + d.ID()
			return nil
		}})
	}
	reader(ours, "ours")
	reader(theirs, "theirs")
	publish(t, ours, pushed(t, "1"))
	if got := receive(t, came, patience, "our message"); got != "ours got 1" {
		t.Error(got)
	}
	publish(t, theirs, pushed(t, "2"))
	if got := receive(t, came, patience, "their message"); got != "theirs got 2" {
		t.Error(got)
	}
	settled(t, ours, ours.Topology().PlanFacts())
	settled(t, theirs, theirs.Topology().PlanFacts())
	for _, b := range []*bus.Bus{ours, theirs} {
		if n := stored(t, b, events.Registry); n != 1 {
			t.Errorf("%d messages, want 1", n)
		}
	}
}

func stored(t *testing.T, b *bus.Bus, name events.StreamName) uint64 {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), b.Topology().Stream(name))
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func TestOneIDIsStoredOnce(t *testing.T) {
	_, b := start(t)
	for range 3 {
		publish(t, b, pushed(t, "same"))
	}
	publish(t, b, pushed(t, "different"))
	if n := stored(t, b, events.Registry); n != 2 {
		t.Errorf("%d messages stored, want 2", n)
	}
}

func TestPublishFailsSoonWithoutTheBroker(t *testing.T) {
	srv, b := start(t)
	e := pushed(t, "one")
	srv.Stop()
	begun := time.Now()
	err := b.Publish(t.Context(), failpoint.IngestPublish, e)
	// Three seconds where the broker went between request and answer; the rest
	// is for a busy machine.
	if took := time.Since(begun); err == nil || took > 5*time.Second {
		t.Errorf("error %v after %s, want one within 3 s", err, took)
	}
	until(t, "disconnected", func() bool { return !b.Connected() })
	begun = time.Now()
	if err := b.Publish(t.Context(), failpoint.IngestPublish, e); err == nil || time.Since(begun) > 2*time.Second {
		t.Errorf("error %v after %s, want one at once", err, time.Since(begun))
	}
	srv.Resume(t)
	until(t, "published", func() bool {
		return b.Publish(t.Context(), failpoint.IngestPublish, e) == nil
	})
	if n := stored(t, b, events.Registry); n != 1 {
		t.Errorf("%d messages stored, want 1", n)
	}
}
