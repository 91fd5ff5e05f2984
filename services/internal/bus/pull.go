package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

const (
	// pullWait is how long one pull request waits at the broker: the longest
	// stall when a cluster loses a request without the connection noticing.
	pullWait = 5 * time.Second
	// pullPause is between attempts while the broker or the consumer is away.
	pullPause = time.Second
)

var errBrokerGone = errors.New("broker gone")

// puller fetches one message at a time while a slot is free, so that no
// message waits in a process that cannot handle it.
type puller struct {
	bus         *Bus
	consumption Consumption
	start       func(m jetstream.Msg, release func())
	consumer    jetstream.Consumer // nil: to be bound again
	status      chan nats.Status   // of the connection
	complaint   complaint
}

func (b *Bus) pull(ctx context.Context, c Consumption, start func(jetstream.Msg, func())) {
	p := &puller{bus: b, consumption: c, start: start}
	p.status = b.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer b.nc.RemoveStatusListener(p.status)
	for c.Slots.Wait(ctx) == nil {
		if err := p.next(ctx); err != nil && ctx.Err() == nil {
			p.consumer = nil
			p.pause(ctx, err)
		}
	}
}

// next asks for one message and waits until it came, the request ended, the
// connection broke or ctx ended.
func (p *puller) next(ctx context.Context) error {
	if err := p.bind(ctx); err != nil {
		return err
	}
	// The request is not tied to ctx: a message that arrives while ctx ends
	// would be dropped on the way, and be out until its lease ends.
	batch, err := p.consumer.Fetch(1, jetstream.FetchMaxWait(pullWait))
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	for {
		select {
		case m, open := <-batch.Messages():
			if !open {
				return ended(batch.Error())
			}
			p.dispatch(ctx, m)
		case s := <-p.status:
			if s != nats.CONNECTED {
				go p.giveBack(batch)
				return errBrokerGone
			}
		case <-ctx.Done():
			go p.giveBack(batch)
			return nil
		}
	}
}

// bind looks the consumer up, creating it where it is gone.
func (p *puller) bind(ctx context.Context) error {
	for len(p.status) > 0 {
		<-p.status // what happened before this request does not concern it
	}
	// A fetch that cannot send its request leaves its subscription behind.
	if !p.bus.nc.IsConnected() {
		return errBrokerGone
	}
	if p.consumer != nil {
		return nil
	}
	cons, err := p.bus.Durable(ctx, p.consumption.Durable)
	if err != nil {
		return err
	}
	p.consumer = cons
	return nil
}

// dispatch hands the message to a handler, or back where the slot that was
// free has been taken by another consumption meanwhile.
func (p *puller) dispatch(ctx context.Context, m jetstream.Msg) {
	if ctx.Err() == nil {
		if release, ok := p.consumption.Slots.TryAcquire(); ok {
			p.start(m, release)
			return
		}
	}
	p.nak(m)
}

// giveBack returns what an abandoned request still brings. It ends with the
// request, pullWait after it was made at the latest.
func (p *puller) giveBack(batch jetstream.MessageBatch) {
	for m := range batch.Messages() {
		p.nak(m)
	}
}

func (p *puller) nak(m jetstream.Msg) {
	if err := m.Nak(); err != nil {
		p.bus.log.Debug("message not given back, its lease will end", zap.Error(err))
	}
}

// ended is what a pull's end means: that it found nothing is no error.
func ended(err error) error {
	if errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// pause waits a moment, or until the connection changes.
func (p *puller) pause(ctx context.Context, err error) {
	if p.complaint.due(err, time.Now()) {
		p.bus.log.Warn("consumer interrupted", zap.String("consumer", p.consumption.Durable.Name), zap.Error(err))
	}
	select {
	case <-ctx.Done():
	case <-p.status:
	case <-time.After(pullPause):
	}
}

// complaint keeps an error that comes again and again from filling the log.
type complaint struct {
	last string
	at   time.Time
}

// due reports whether err is to be logged: it is new, or a minute has passed.
func (c *complaint) due(err error, now time.Time) bool {
	if err.Error() == c.last && now.Sub(c.at) < time.Minute {
		return false
	}
	c.last, c.at = err.Error(), now
	return true
}
