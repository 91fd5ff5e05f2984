package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
)

func TestIdleConsumerHearsAtOnce(t *testing.T) {
	_, b := start(t)
	came := make(chan bus.Delivery, 1)
	d := durable(time.Minute)
	consume(t, b, bus.Consumption{Durable: d, Handle: func(_ context.Context, d bus.Delivery) error {
		came <- d
		return nil
	}})
	publish(t, b, pushed(t, "first"))
	receive(t, came, patience, "first message")
	begun := time.Now()
	publish(t, b, pushed(t, "second"))
	got := receive(t, came, prompt, "second message")
	t.Logf("publish to handler in %s", time.Since(begun))
	if got.ID() != "second" || got.Delivered != 1 || time.Since(got.StoredAt) > time.Minute {
		t.Errorf("delivery = %s, delivered %d, stored at %s", got.ID(), got.Delivered, got.StoredAt)
	}
	settled(t, b, d)
}

// A process that dies keeps its message only until the lease ends.
func TestCrashedConsumerIsFollowedByAnother(t *testing.T) {
	srv, b := start(t)
	victim := natstest.Bus(t, srv, "victim")
	d := durable(short)
	began, crashed := make(chan struct{}, 1), make(chan struct{})
	stop := consume(t, victim, bus.Consumption{Durable: d, Handle: func(context.Context, bus.Delivery) error {
		began <- struct{}{}
		<-crashed
		return nil
	}})
	publish(t, b, pushed(t, "one"))
	receive(t, began, patience, "delivery to the victim")
	victim.Close()

	var handled atomic.Int32
	again := make(chan uint64, 8)
	consume(t, b, bus.Consumption{Durable: d, Handle: func(_ context.Context, d bus.Delivery) error {
		handled.Add(1)
		again <- d.Delivered
		return nil
	}})
	if n := receive(t, again, prompt, "redelivery"); n != 2 {
		t.Errorf("delivered %d times, want 2", n)
	}
	close(crashed)
	stop()
	settled(t, b, d)
	if n := handled.Load(); n != 1 {
		t.Errorf("handled to the end %d times, want 1", n)
	}
}

func TestLongHandlerKeepsItsMessage(t *testing.T) {
	srv, b := start(t)
	other := natstest.Bus(t, srv, "other")
	d := durable(short)
	var deliveries atomic.Int32
	done := make(chan struct{}, 8)
	c := bus.Consumption{Durable: d, Handle: func(context.Context, bus.Delivery) error {
		deliveries.Add(1)
		<-time.After(3 * d.Lease)
		done <- struct{}{}
		return nil
	}}
	consume(t, b, c)
	consume(t, other, c)
	publish(t, b, pushed(t, "long"))
	receive(t, done, patience, "end of the handler")
	settled(t, b, d)
	if n := deliveries.Load(); n != 1 {
		t.Errorf("delivered %d times, want 1", n)
	}
}

func TestHandlersErrorsBringTheMessageAgain(t *testing.T) {
	tests := []struct {
		name string
		err  error
		wait time.Duration
	}{
		{"later", bus.Later(150*time.Millisecond, errors.New("registry pauses")), 150 * time.Millisecond},
		{"wrapped later", fmt.Errorf("plan: %w", bus.Later(150*time.Millisecond, errors.New("x"))), 150 * time.Millisecond},
		{"ordinary", errors.New("no route to host"), time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, b := start(t)
			d := durable(time.Minute)
			came := make(chan time.Time, 8)
			consume(t, b, bus.Consumption{Durable: d, Handle: func(_ context.Context, d bus.Delivery) error {
				came <- time.Now()
				if d.Delivered == 1 {
					return tt.err
				}
				return nil
			}})
			publish(t, b, pushed(t, "one"))
			first := receive(t, came, patience, "delivery")
			second := receive(t, came, patience, "second delivery")
			if gap := second.Sub(first); gap < tt.wait {
				t.Errorf("came again after %s, want %s at least", gap, tt.wait)
			}
			settled(t, b, d)
			if got := dead(t, b, 0); len(got) != 0 {
				t.Errorf("%d dead letters, want none", len(got))
			}
		})
	}
}

func TestConsumptionOutlivesTheBroker(t *testing.T) {
	srv, b := start(t)
	publisher := natstest.Bus(t, srv, "publisher")
	d := durable(time.Second)
	var mu sync.Mutex
	seen := map[string]bool{}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(seen) }
	consume(t, b, bus.Consumption{Durable: d, Handle: func(_ context.Context, d bus.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		seen[d.ID()] = true
		return nil
	}})
	const facts = 120
	var published sync.WaitGroup
	published.Go(func() {
		for n := range facts {
			e := pushed(t, fmt.Sprintf("fact-%d", n))
			until(t, "published", func() bool {
				return publisher.Publish(t.Context(), failpoint.IngestPublish, e) == nil
			})
		}
	})
	for _, share := range []int{facts / 4, facts / 2} {
		until(t, "part consumed", func() bool { return count() >= share })
		srv.Restart(t)
	}
	published.Wait()
	until(t, "all consumed", func() bool { return count() == facts })
	settled(t, b, d)
}

func TestDeletedConsumerIsMadeAgain(t *testing.T) {
	_, b := start(t)
	d := durable(time.Minute)
	came := make(chan string, 8)
	consume(t, b, bus.Consumption{Durable: d, Handle: func(_ context.Context, d bus.Delivery) error {
		came <- d.ID()
		return nil
	}})
	publish(t, b, pushed(t, "one"))
	receive(t, came, patience, "message")
	settled(t, b, d)
	if err := b.JetStream().DeleteConsumer(t.Context(), "REGISTRY", d.Name); err != nil {
		t.Fatal(err)
	}
	publish(t, b, pushed(t, "two"))
	// It reads the stream from its beginning again.
	until(t, "message of the new consumer", func() bool {
		return receive(t, came, patience, "message") == "two"
	})
	settled(t, b, d)
}

func TestAcknowledgementIsAFailpoint(t *testing.T) {
	t.Parallel()
	srv := natstest.Start(t)
	moments := make(chan failpoint.Moment, 8)
	b := natstest.Connect(t, srv, bus.Options{Service: "one", Fail: func(p failpoint.Point, m failpoint.Moment) {
		if p == failpoint.RequestsAck {
			moments <- m
		}
	}})
	d := durable(time.Minute)
	consume(t, b, bus.Consumption{Durable: d, Ack: failpoint.RequestsAck, Handle: func(context.Context, bus.Delivery) error { return nil }})
	publish(t, b, pushed(t, "one"))
	for _, want := range []failpoint.Moment{failpoint.Before, failpoint.After} {
		if got := receive(t, moments, patience, "moment"); got != want {
			t.Errorf("moment %s, want %s", got, want)
		}
	}
}
