package bus

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// Handler does what one event asks for. See Later and DeadLetter for what its
// error means. ctx ends when the service must stop now.
type Handler func(ctx context.Context, d Delivery) error

// Delivery is an event as it was delivered.
type Delivery struct {
	events.Event
	// Delivered counts the broker's deliveries, this one included.
	Delivered uint64
	// StoredAt is when the broker stored the message.
	StoredAt time.Time
}

// Consumption is what to consume and how.
type Consumption struct {
	Durable events.Durable
	Handle  Handler
	// HandleMessage is there instead of Handle where the messages are no
	// events. Its errors mean the same.
	HandleMessage func(ctx context.Context, m *nats.Msg) error
	// Slots bounds the handlers at work; several consumptions may share one.
	Slots Slots
	// Ack is the failpoint of the acknowledgement.
	Ack failpoint.Point
	// MaxAge is how old a message may be that still fails; then it goes to
	// DEAD. 0: never.
	MaxAge time.Duration
	// Grace is how long handlers may go on after ctx ended, before their own
	// context ends.
	Grace time.Duration
}

// Slots bounds the work a process does at a time.
type Slots interface {
	// Wait returns once a slot may be free.
	Wait(ctx context.Context) error
	// TryAcquire takes a slot, or reports that none is free.
	TryAcquire() (release func(), ok bool)
}

// settleTimeout bounds the last acknowledgement of a message, which must go
// out even while the service stops.
const settleTimeout = 3 * time.Second

// Consume handles messages until ctx ends, then stops in two steps: it takes
// no more, waits Grace for the handlers, ends their context and waits for
// them. It returns only when no handler runs, and nil. It outlives a broker
// that goes away or loses the consumer.
func (b *Bus) Consume(ctx context.Context, c Consumption) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var handlers sync.WaitGroup
	b.pull(ctx, c, func(m jetstream.Msg, release func()) {
		handlers.Go(func() {
			defer release()
			b.handle(work, ctx, c, m)
		})
	})
	idle := make(chan struct{})
	go func() { handlers.Wait(); close(idle) }()
	grace := time.NewTimer(c.Grace)
	defer grace.Stop()
	select {
	case <-idle:
	case <-grace.C:
		cancel()
		<-idle
	}
	return nil
}

// handle runs the handler under a renewed lease and settles the message.
func (b *Bus) handle(work, service context.Context, c Consumption, m jetstream.Msg) {
	// Renewed even after work ended: a handler that is slow to stop still has
	// the message, and nobody else should begin on it.
	stop := b.renew(context.WithoutCancel(work), c.Durable.Lease, m)
	started := time.Now()
	err := b.call(work, c, m)
	stop()
	b.settle(work, service, settlement{consumption: c, message: m, err: err, took: time.Since(started)})
}

// call decodes and handles; a message that is no event where one is expected,
// and a handler that panics on it, are dead letters.
func (b *Bus) call(ctx context.Context, c Consumption, m jetstream.Msg) (err error) {
	defer func() {
		if p := recover(); p != nil {
			b.log.Error("handler panicked", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			err = DeadLetter(fmt.Errorf("handler panicked: %v", p))
		}
	}()
	if c.HandleMessage != nil {
		return c.HandleMessage(ctx, &nats.Msg{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
	}
	e, err := events.Decode(events.Message{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
	if err != nil {
		return DeadLetter(err)
	}
	d := Delivery{Event: e, Delivered: 1}
	if meta, metaErr := m.Metadata(); metaErr == nil {
		d.Delivered, d.StoredAt = meta.NumDelivered, meta.Timestamp
	}
	return c.Handle(ctx, d)
}

// renew extends the message's lease at a third of its length until stop.
func (b *Bus) renew(ctx context.Context, lease time.Duration, m jetstream.Msg) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := m.InProgress(); err != nil {
					b.log.Debug("lease not renewed", zap.Error(err))
				}
			}
		}
	})
	return func() { cancel(); done.Wait() }
}
