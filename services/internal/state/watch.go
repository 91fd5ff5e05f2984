package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/services/internal/bus"
)

// errBrokerGone ends a watch whose broker went away: what was missed then is
// told by a new watch, not by this one.
var errBrokerGone = errors.New("broker gone")

// watchBegin bounds the beginning of a watch, which has no deadline itself.
const watchBegin = 10 * time.Second

// Revision is that of the last change of any record.
func (t *Table[T]) Revision(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	status, err := t.kv.Status(ctx)
	if err != nil {
		return 0, fmt.Errorf("revision of %s: %w", t.name, bus.Failed(err))
	}
	bucket, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return 0, fmt.Errorf("revision of %s: the broker's client does not tell", t.name)
	}
	return bucket.StreamInfo().State.LastSeq, nil
}

// Update is a change of a record, as Watch tells it.
type Update[T any] struct {
	Record[T]
	Removed bool // the record is gone; Value is zero
	Synced  bool // no record: all that there was when the watch began has been told
}

// Watch tells of every record that matches the filter as it is now and then of
// every change, until ctx ends; of changes in quick succession it may tell only
// the last. It returns nil only when ctx ended, and an error when the broker
// went away or ended the watch: call it again, and it tells of every record
// again. Removals are told for an hour after they happened, so whoever
// was away longer must look for records that are no longer told.
func (t *Table[T]) Watch(ctx context.Context, filter string, each func(Update[T])) error {
	if err := t.follow(ctx, filter, each); err != nil && ctx.Err() == nil {
		return fmt.Errorf("watch %s %s: %w", t.name, filter, err)
	}
	return nil
}

func (t *Table[T]) follow(ctx context.Context, filter string, each func(Update[T])) error {
	entries, stop, err := t.watch(ctx, filter)
	if err != nil {
		return err
	}
	defer stop()
	for {
		entry, err := entries.next(ctx)
		switch {
		case err != nil:
			return err
		case entry == nil:
			each(Update[T]{Synced: true})
		case entry.Operation() != jetstream.KeyValuePut:
			each(Update[T]{Record: Record[T]{Key: entry.Key(), Revision: entry.Revision()}, Removed: true})
		default:
			// Whoever reads a record that cannot be decoded by its key hears of it.
			if r, err := t.decode(entry.Key(), entry.Value(), entry.Revision()); err == nil {
				each(Update[T]{Record: r})
			}
		}
	}
}

// watch begins a watch; stop must be called.
func (t *Table[T]) watch(ctx context.Context, filter string) (entries feed, stop func(), err error) {
	if !t.conn.IsConnected() {
		return entries, nil, errBrokerGone
	}
	lost, forget := lostConnection(t.conn)
	// The client keeps a goroutine for the watch until its context ends.
	ctx, cancel := context.WithCancel(ctx)
	begun := time.AfterFunc(watchBegin, cancel)
	w, err := t.kv.Watch(ctx, filter)
	if err != nil {
		cancel()
		forget()
		return entries, nil, err
	}
	begun.Stop()
	stop = func() {
		forget()
		cancel() // ends the subscription, which closes the channel
		// The client blocks on a channel that nobody reads.
		go drain(w.Updates())
	}
	return feed{w.Updates(), lost}, stop, nil
}

func drain(c <-chan jetstream.KeyValueEntry) {
	for range c {
		continue
	}
}

// feed is what a watch brings.
type feed struct {
	updates <-chan jetstream.KeyValueEntry
	lost    <-chan nats.Status
}

// next returns the next entry, nil where all that there was has been told.
func (f feed) next(ctx context.Context) (jetstream.KeyValueEntry, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.lost:
		return nil, errBrokerGone
	case entry, open := <-f.updates:
		if !open {
			return nil, errors.Join(errors.New("ended by the broker"), ctx.Err())
		}
		return entry, nil
	}
}

// lostConnection tells when the connection breaks: a watch does not notice by
// itself, or only much later.
func lostConnection(c *nats.Conn) (lost <-chan nats.Status, forget func()) {
	status := c.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	return status, func() { c.RemoveStatusListener(status) }
}
