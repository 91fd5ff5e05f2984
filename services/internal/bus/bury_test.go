package bus_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
)

const pushedSubject = "landwaiter.registry.image.pushed.hub"

func TestPoisonGoesToDead(t *testing.T) {
	valid := func(t *testing.T) *nats.Msg {
		t.Helper()
		m := bus.Options{}.Topology.Encode(pushed(t, "poison"))
		return &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
	}
	foreign := func(header, value string, size int) func(*testing.T) *nats.Msg {
		return func(*testing.T) *nats.Msg {
			return &nats.Msg{
				Subject: pushedSubject, Header: nats.Header{header: {value}},
				Data: bytes.Repeat([]byte("x"), size),
			}
		}
	}
	tests := []struct {
		name    string
		message func(t *testing.T) *nats.Msg
		handle  func() error
		maxAge  time.Duration
		reason  string
		cut     bool
	}{
		{"not a CloudEvent", foreign("X", "y", 10), nil, 0, "not a CloudEvent", false},
		{"with the broker's headers", foreign("Nats-Expected-Stream", "REGISTRY", 10), nil, 0, "not a CloudEvent", false},
		{"as large as can be", foreign("X", "y", 1<<20-100), nil, 0, "not a CloudEvent", true},
		{"handler panics", valid, func() error { panic("no such\nlayer") }, 0, "handler panicked: no such layer", false},
		{"dead letter", valid, func() error { return bus.DeadLetter(errors.New("registry is not configured")) }, 0, "registry is not configured", false},
		{"fails for too long", valid, func() error { return errors.New("refused") }, time.Nanosecond, "refused", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, b := start(t)
			d := durable(time.Minute)
			consume(t, b, bus.Consumption{
				Durable: d, MaxAge: tt.maxAge,
				Handle: func(context.Context, bus.Delivery) error { return tt.handle() },
			})
			sent := tt.message(t)
			if _, err := b.JetStream().PublishMsg(t.Context(), sent); err != nil {
				t.Fatal(err)
			}
			got := dead(t, b, 1)
			settled(t, b, d)
			if len(got) != 1 {
				t.Fatalf("%d dead letters, want 1", len(got))
			}
			m := got[0]
			if m.Subject != "landwaiter.dead.REGISTRY" {
				t.Errorf("on %s", m.Subject)
			}
			if reason := m.Header.Get(bus.HeaderDeadReason); !strings.Contains(reason, tt.reason) {
				t.Errorf("reason %q, want %q in it", reason, tt.reason)
			}
			for name, want := range map[string]string{
				bus.HeaderDeadSubject: pushedSubject, bus.HeaderDeadStream: "REGISTRY",
				bus.HeaderDeadConsumer: d.Name, bus.HeaderDeadSequence: "1",
			} {
				if got := m.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			keepsMessage(t, m.Header, m.Data, sent, tt.cut)
		})
	}
}

func keepsMessage(t *testing.T, header nats.Header, data []byte, sent *nats.Msg, cut bool) {
	t.Helper()
	for name := range sent.Header {
		kept := name
		if strings.HasPrefix(name, "Nats-") {
			kept = "Landwaiter-Dead-" + name
		}
		if got, want := header.Get(kept), sent.Header.Get(name); got != want {
			t.Errorf("header %s: %q, want %q", kept, got, want)
		}
	}
	if !cut {
		if !bytes.Equal(data, sent.Data) {
			t.Errorf("data %q, want %q", data, sent.Data)
		}
		return
	}
	if !bytes.HasPrefix(sent.Data, data) || len(data) < len(sent.Data)-8<<10 {
		t.Errorf("%d of %d bytes kept", len(data), len(sent.Data))
	}
	if got := header.Get(bus.HeaderDeadCut); got != strconv.Itoa(len(sent.Data)) {
		t.Errorf("%s: %q, want %d", bus.HeaderDeadCut, got, len(sent.Data))
	}
}

// A dead letter that was stored but not acknowledged is not stored twice.
func TestPoisonIsBuriedOnce(t *testing.T) {
	t.Parallel()
	srv := natstest.Start(t)
	first := natstest.Bus(t, srv, "one")
	d := durable(short)
	deliveries := make(chan uint64, 8)
	c := bus.Consumption{Durable: d, Ack: failpoint.PlanAck, Handle: func(_ context.Context, d bus.Delivery) error {
		deliveries <- d.Delivered
		return bus.DeadLetter(errors.New("never"))
	}}
	var crashing *bus.Bus
	crashing = natstest.Connect(t, srv, bus.Options{Service: "two", Fail: func(p failpoint.Point, m failpoint.Moment) {
		if p == failpoint.PlanAck && m == failpoint.Before {
			crashing.Close()
		}
	}})
	stop := consume(t, crashing, c)
	publish(t, first, pushed(t, "one"))
	receive(t, deliveries, patience, "delivery")
	dead(t, first, 1)
	stop()
	consume(t, first, c)
	receive(t, deliveries, patience, "redelivery")
	settled(t, first, d)
	if n := len(dead(t, first, 1)); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

func TestEventIsBuriedByItsHandlerOnce(t *testing.T) {
	_, b := start(t)
	e := pushed(t, "one")
	for range 2 {
		if err := b.PublishDead(t.Context(), failpoint.ScanDead, events.Registry, e, "tried\ntoo often"); err != nil {
			t.Fatal(err)
		}
	}
	got := dead(t, b, 1)
	if len(got) != 1 {
		t.Fatalf("%d dead letters, want 1", len(got))
	}
	back, err := events.Decode(events.Message{Subject: got[0].Subject, Header: got[0].Header, Data: got[0].Data})
	if err != nil || back.ID() != e.ID() {
		t.Errorf("decoded %v, want the event", err)
	}
	if reason := got[0].Header.Get(bus.HeaderDeadReason); reason != "tried too often" {
		t.Errorf("reason %q", reason)
	}
}
