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

// All calls each for every record whose key matches the filter, such as "a.*"
// or "a.>", and stops at its first error. Records that cannot be decoded end
// it with an error naming them. It sees every record that is there all the
// time; of one that is changed meanwhile it sees the old or the new state, or
// both.
func (t *Table[T]) All(ctx context.Context, filter string, each func(Record[T]) error) error {
	if err := t.all(ctx, filter, each); err != nil {
		return fmt.Errorf("list %s %s: %w", t.name, filter, bus.Failed(err))
	}
	return nil
}

// Since is All for the records that were changed after a revision. It costs by
// what has changed, and not by what there is.
func (t *Table[T]) Since(ctx context.Context, filter string, revision uint64, each func(Record[T]) error) error {
	if err := t.all(ctx, filter, each, jetstream.ResumeFromRevision(revision+1)); err != nil {
		return fmt.Errorf("list changed %s %s: %w", t.name, filter, bus.Failed(err))
	}
	return nil
}

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

func (t *Table[T]) all(ctx context.Context, filter string, each func(Record[T]) error, opts ...jetstream.WatchOpt) error {
	entries, stop, err := t.watch(ctx, filter, append(opts, jetstream.IgnoreDeletes())...)
	if err != nil {
		return err
	}
	defer stop()
	for {
		entry, err := entries.next(ctx)
		if err != nil || entry == nil {
			return err
		}
		r, err := t.decode(entry)
		if err != nil {
			return err
		}
		if err := each(r); err != nil {
			return err
		}
	}
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
			if r, err := t.decode(entry); err == nil {
				each(Update[T]{Record: r})
			}
		}
	}
}

// watch begins a watch; stop must be called.
func (t *Table[T]) watch(ctx context.Context, filter string, opts ...jetstream.WatchOpt) (entries feed[jetstream.KeyValueEntry], stop func(), err error) {
	if !t.conn.IsConnected() {
		return entries, nil, errBrokerGone
	}
	lost, forget := lostConnection(t.conn)
	// The client keeps a goroutine for the watch until its context ends.
	ctx, cancel := context.WithCancel(ctx)
	begun := time.AfterFunc(watchBegin, cancel)
	w, err := t.kv.Watch(ctx, filter, opts...)
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
	return feed[jetstream.KeyValueEntry]{w.Updates(), lost}, stop, nil
}

func drain[E any](c <-chan E) {
	for range c {
		continue
	}
}

// feed is what a watch brings.
type feed[E any] struct {
	updates <-chan E
	lost    <-chan nats.Status
}

// next returns the next entry, nil where all that there was has been told.
func (f feed[E]) next(ctx context.Context) (entry E, err error) {
	select {
	case <-ctx.Done():
		return entry, ctx.Err()
	case <-f.lost:
		return entry, errBrokerGone
	case entry, open := <-f.updates:
		if !open {
			return entry, errors.Join(errors.New("ended by the broker"), ctx.Err())
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
