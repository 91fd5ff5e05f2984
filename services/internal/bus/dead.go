package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// PublishDead keeps an event on the DEAD stream with the reason why it cannot
// be handled, for a handler that has to do so together with other writes. The
// event's id keeps it from being there twice.
func (b *Bus) PublishDead(ctx context.Context, p failpoint.Point, stream events.StreamName, e events.Event, reason string) error {
	m := b.topology.Encode(e)
	dead := &nats.Msg{Subject: b.topology.DeadSubject(stream), Header: m.Header, Data: m.Data}
	dead.Header.Set(HeaderDeadReason, oneLine(reason))
	dead.Header.Set(HeaderDeadSubject, m.Subject)
	dead.Header.Set(HeaderDeadStream, b.topology.Stream(stream))
	return b.fail.Around(p, func() error {
		ctx, cancel := context.WithTimeout(ctx, publishTimeout)
		defer cancel()
		if _, err := b.js.PublishMsg(ctx, dead); err != nil {
			return fmt.Errorf("publish dead letter %s: %w", e.ID(), err)
		}
		return nil
	})
}
