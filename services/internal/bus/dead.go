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
	return b.PublishDeadMessage(ctx, p, stream, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}, reason)
}

// PublishDeadMessage does the same with a message that is no event. Its subject
// is where it goes when it is replayed, its message id keeps it from being
// there twice.
func (b *Bus) PublishDeadMessage(ctx context.Context, p failpoint.Point, stream events.StreamName, m *nats.Msg, reason string) error {
	dead := &nats.Msg{Subject: b.topology.DeadSubject(stream), Header: m.Header, Data: m.Data}
	dead.Header.Set(HeaderDeadReason, oneLine(reason))
	dead.Header.Set(HeaderDeadSubject, m.Subject)
	dead.Header.Set(HeaderDeadStream, b.topology.Stream(stream))
	if err := b.PublishMessage(ctx, p, dead); err != nil {
		return fmt.Errorf("dead letter: %w", err)
	}
	return nil
}

// PublishMessage stores a message as it is and returns once the broker
// confirmed it. Its message id keeps it from being stored twice.
func (b *Bus) PublishMessage(ctx context.Context, p failpoint.Point, m *nats.Msg) error {
	return b.fail.Around(p, func() error {
		ctx, cancel := context.WithTimeout(ctx, publishTimeout)
		defer cancel()
		if _, err := b.js.PublishMsg(ctx, m); err != nil {
			return fmt.Errorf("publish to %s %s: %w", m.Subject, m.Header.Get(events.HeaderMessageID), err)
		}
		return nil
	})
}
