package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
)

// provision creates what is missing and updates what differs. Every service
// does it at its start; equal configurations do not disturb each other.
func (b *Bus) provision(ctx context.Context) error {
	for _, s := range b.topology.Streams() {
		if _, err := b.js.CreateOrUpdateStream(ctx, b.streamConfig(s)); err != nil {
			return fmt.Errorf("provision stream %s: %w", s.Name, err)
		}
	}
	for _, d := range b.topology.Durables() {
		if _, err := b.Durable(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) streamConfig(s events.Stream) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name:       s.Name,
		Subjects:   s.Subjects,
		Storage:    jetstream.FileStorage,
		Retention:  jetstream.LimitsPolicy,
		MaxAge:     s.MaxAge,
		Duplicates: s.Duplicates,
		Replicas:   b.replicas,
		// Compression pays on disk and costs little: events are small JSON.
		Compression: jetstream.S2Compression,
		AllowDirect: true,
		// For publishers that share syncs.
		AllowAtomicPublish: true,
	}
	if s.WorkQueue {
		c.Retention = jetstream.WorkQueuePolicy
	}
	return c
}

// Durable creates or updates a durable consumer.
func (b *Bus) Durable(ctx context.Context, d events.Durable) (jetstream.Consumer, error) {
	cons, err := b.js.CreateOrUpdateConsumer(ctx, b.topology.Stream(d.Stream), jetstream.ConsumerConfig{
		Durable:        d.Name,
		FilterSubjects: d.Filters,
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        d.Lease,
		// Slots bound the work. A bound here would count the messages that wait
		// for a registry that is away, and keep out those of all the others.
		MaxAckPending: -1,
		// Attempts are counted in records by their cause, not here: waiting,
		// shutdowns and crashes all redeliver.
		MaxDeliver: -1,
		MaxWaiting: 4096, // cannot be changed later
	})
	if err != nil {
		return nil, fmt.Errorf("provision consumer %s of %s: %w", d.Name, d.Stream, err)
	}
	return cons, nil
}
