// Package feed follows the results as they are announced.
package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
)

// Feed opens followers of RESULTS.
type Feed struct{ bus *bus.Bus }

// New returns the feed of a broker.
func New(b *bus.Bus) *Feed { return &Feed{bus: b} }

// Result is an event and its place in the stream.
type Result struct {
	events.Event
	Sequence uint64
}

// Follower reads results one after the other. It belongs to one goroutine.
type Follower struct {
	feed   *Feed
	filter string
	last   uint64 // sequence of the last result read, or before the first
	begun  bool   // last is known
	cons   jetstream.Consumer
}

const (
	batch = 64
	// forgotten is when the broker drops a follower that reads no more.
	forgotten = time.Minute
)

// Follow begins after a sequence, or with what is announced from now on where
// that is 0. An empty registry means all.
func (f *Feed) Follow(registry string, after uint64) *Follower {
	return &Follower{feed: f, filter: f.bus.Topology().ResultSubjects(registry), last: after, begun: after > 0}
}

// Start makes sure that what is announced from now on will be read.
func (f *Follower) Start(ctx context.Context) error {
	if f.cons != nil {
		return nil
	}
	js, stream := f.feed.bus.JetStream(), f.feed.bus.Topology().Stream(events.Results)
	if !f.begun {
		s, err := js.Stream(ctx, stream)
		if err != nil {
			return fmt.Errorf("open results: %w", err)
		}
		f.last, f.begun = s.CachedInfo().State.LastSeq, true
	}
	cons, err := js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		FilterSubject: f.filter,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: f.last + 1,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: forgotten,
	})
	if err != nil {
		return fmt.Errorf("follow results: %w", err)
	}
	f.cons = cons
	return nil
}

// Next returns the results that come within the wait, which may be none.
// After an error the next call goes on where this one stopped.
func (f *Follower) Next(ctx context.Context, wait time.Duration) ([]Result, error) {
	if err := f.Start(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	// One that may be waited for, then those that are there already.
	first, err := f.fetch(func() (jetstream.MessageBatch, error) { return f.cons.Fetch(1, jetstream.FetchContext(ctx)) })
	if err != nil || len(first) == 0 {
		return nil, err
	}
	more, err := f.fetch(func() (jetstream.MessageBatch, error) { return f.cons.FetchNoWait(batch) })
	return append(first, more...), err
}

func (f *Follower) fetch(ask func() (jetstream.MessageBatch, error)) ([]Result, error) {
	b, err := ask()
	if err != nil {
		f.cons = nil
		return nil, fmt.Errorf("follow results: %w", err)
	}
	var list []Result
	for m := range b.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			continue
		}
		f.last = meta.Sequence.Stream
		e, err := events.Decode(events.Message{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
		if err != nil {
			continue // not ours to judge: the projector's consumer buries it
		}
		list = append(list, Result{Event: e, Sequence: f.last})
	}
	if err := b.Error(); err != nil && !ordinary(err) {
		f.cons = nil
		if len(list) == 0 {
			return nil, fmt.Errorf("follow results: %w", err)
		}
	}
	return list, nil
}

// ordinary reports whether a fetch merely found nothing.
func ordinary(err error) bool {
	return errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
