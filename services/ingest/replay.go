package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/dead"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

const (
	// replayAge is how old a replay may be that the broker still refuses to
	// store; then it is a dead letter again.
	replayAge = 24 * time.Hour
	// replayGrace is how long one in hand may go on after ctx ended.
	replayGrace = 5 * time.Second
)

// replays reads parked webhooks again until ctx ends, one at a time: they are
// large, and nobody waits for them.
func (r *receiver) replays(ctx context.Context) error {
	return r.bus.Consume(ctx, bus.Consumption{
		Durable:       r.bus.Topology().ReplayedWebhooks(),
		HandleMessage: r.replay,
		Slots:         bus.NewPool(1).Share(1),
		Ack:           failpoint.ReplayAck,
		MaxAge:        replayAge,
		Grace:         replayGrace,
	})
}

// replay takes a parked webhook as if it had come again, at the time at which
// it came. What cannot be read now goes back to DEAD, with the reason why.
func (r *receiver) replay(ctx context.Context, m *nats.Msg) error {
	if err := r.directory.ready(); err != nil {
		return bus.Later(time.Second, err)
	}
	e, err := r.reader(dead.WebhookRegistry(m))
	if err != nil {
		return bus.DeadLetter(err)
	}
	// The sender was held to the limit; a smaller one of today lets it pass.
	w, err := dead.ParseWebhook(m, 2*max(r.bodyLimit, e.bodyLimit))
	if err != nil {
		return bus.DeadLetter(err)
	}
	o, err := r.take(ctx, delivery{endpoint: e, header: w.Header, body: w.Body, at: w.ReceivedAt, replayed: w.ID})
	if err != nil {
		return err
	}
	for _, reason := range o.ignored {
		r.metrics.ignored.WithLabelValues(e.name, string(reason)).Inc()
	}
	r.log.Info("delivery replayed", zap.String("registry", e.name), zap.Int("accepted", o.accepted),
		zap.Any("ignored", o.ignored), zap.Time("received", w.ReceivedAt))
	return nil
}

// reader is the registry's endpoint, if it reads deliveries.
func (r *receiver) reader(name string) (endpoint, error) {
	e := r.directory.find(name)
	switch {
	case name == "":
		return e, errors.New("not a webhook")
	case e.name != name:
		return e, fmt.Errorf("webhook of registry %s: there is no such registry any more", name)
	case e.format.Source == nil:
		return e, fmt.Errorf("webhook of registry %s: nothing reads its type", name)
	case e.off:
		return e, fmt.Errorf("webhook of registry %s: webhooks are off for it", name)
	}
	return e, nil
}
