package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
)

// stopping stops a consumption in the background and tells when it returned.
func stopping(stop func()) <-chan struct{} {
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	return stopped
}

func TestHandlerFinishesWithinTheGrace(t *testing.T) {
	_, b := start(t)
	d := durable(time.Minute)
	began, finish := make(chan struct{}), make(chan struct{})
	stop := consume(t, b, bus.Consumption{Durable: d, Grace: patience, Handle: func(ctx context.Context, _ bus.Delivery) error {
		close(began)
		<-finish
		return ctx.Err()
	}})
	publish(t, b, pushed(t, "one"))
	receive(t, began, patience, "start of the handler")
	stopped := stopping(stop)
	select {
	case <-stopped:
		t.Fatal("stopped before its handler")
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	receive(t, stopped, prompt, "end of the consumption")
	settled(t, b, d)
}

func TestHandlerPastTheGraceGivesBackAtOnce(t *testing.T) {
	tests := []struct {
		name string
		end  func(ctx context.Context) error
	}{
		{"says why", func(ctx context.Context) error { return ctx.Err() }},
		{"another error", func(context.Context) error { return errors.New("connection reset") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, b := start(t)
			other := natstest.Bus(t, srv, "other")
			d := durable(time.Minute)
			began := make(chan struct{})
			stop := consume(t, b, bus.Consumption{
				Durable: d, Grace: 30 * time.Millisecond, MaxAge: time.Nanosecond,
				Handle: func(ctx context.Context, _ bus.Delivery) error {
					close(began)
					<-ctx.Done()
					return tt.end(ctx)
				},
			})
			publish(t, b, pushed(t, "one"))
			receive(t, began, patience, "start of the handler")
			receive(t, stopping(stop), prompt, "end of the consumption")

			came := make(chan struct{}, 1)
			consume(t, other, bus.Consumption{Durable: d, Handle: func(context.Context, bus.Delivery) error {
				came <- struct{}{}
				return nil
			}})
			receive(t, came, prompt, "message given back")
			settled(t, b, d)
			if n := len(dead(t, b, 0)); n != 0 {
				t.Errorf("%d dead letters, want none: a shutdown is no failure", n)
			}
		})
	}
}

// The request that is out when the service stops may still bring a message.
func TestMessageForAStoppedConsumptionIsGivenBack(t *testing.T) {
	srv, b := start(t)
	other := natstest.Bus(t, srv, "other")
	d := durable(time.Minute)
	came := make(chan string, 4)
	handle := func(_ context.Context, d bus.Delivery) error {
		came <- d.ID()
		return nil
	}
	stop := consume(t, b, bus.Consumption{Durable: d, Handle: handle})
	publish(t, b, pushed(t, "one"))
	receive(t, came, patience, "message")
	settled(t, b, d)
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > prompt {
		t.Errorf("an idle consumption took %s to stop", took)
	}
	publish(t, other, pushed(t, "two"))
	consume(t, other, bus.Consumption{Durable: d, Handle: handle})
	if id := receive(t, came, prompt, "message given back"); id != "two" {
		t.Errorf("got %s, want two", id)
	}
	settled(t, other, d)
}
