// Package state holds landwaiter's records: what is known and what is to be
// done, in JetStream key-value buckets changed by compare-and-set, with large
// contents in object stores under their own digest. Everything else, the
// report service's Redis included, can be rebuilt from here.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// Errors of tables and object stores.
var (
	ErrNotFound = errors.New("no such record")
	ErrConflict = errors.New("record was changed by somebody else")
)

// Record is a value as it stood at a revision.
type Record[T any] struct {
	Key      string
	Value    T
	Revision uint64
}

// Table is a bucket of records of one type.
type Table[T any] struct {
	source
	subjects string // what those of the bucket begin with
	name     string
	few      bool // records are expected
	kv       jetstream.KeyValue
	fail     failpoint.Hook
}

// markerTTL is how long the broker remembers that a record was removed, so
// that watchers hear of it.
const markerTTL = time.Hour

// answer bounds the reading and writing of one record: answers that a broker
// owes when it dies never come, and who asks may have hours.
const answer = 5 * time.Second

// Get returns the record under key, or ErrNotFound.
func (t *Table[T]) Get(ctx context.Context, key string) (Record[T], error) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	raw, revision, err := t.read(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Record[T]{}, fmt.Errorf("%s %s: %w", t.name, key, ErrNotFound)
	}
	if err != nil {
		return Record[T]{}, fmt.Errorf("read %s %s: %w", t.name, key, bus.Failed(err))
	}
	return t.decode(key, raw, revision)
}

func (t *Table[T]) decode(key string, raw []byte, revision uint64) (Record[T], error) {
	r := Record[T]{Key: key, Revision: revision}
	if err := json.Unmarshal(raw, &r.Value); err != nil {
		return Record[T]{}, fmt.Errorf("decode %s %s: %w", t.name, key, err)
	}
	return r, nil
}

// Create stores v under key if there is none, else ErrConflict.
func (t *Table[T]) Create(ctx context.Context, p failpoint.Point, key string, v T) (Record[T], error) {
	return t.Put(ctx, p, Record[T]{Key: key, Value: v})
}

// Put stores r if the record is still at r's revision, or does not exist where
// that is 0; else ErrConflict.
func (t *Table[T]) Put(ctx context.Context, p failpoint.Point, r Record[T]) (Record[T], error) {
	raw, err := json.Marshal(r.Value)
	if err != nil {
		return r, fmt.Errorf("encode %s %s: %w", t.name, r.Key, err)
	}
	err = t.fail.Around(p, func() error {
		ctx, cancel := context.WithTimeout(ctx, answer)
		defer cancel()
		var err error
		if r.Revision == 0 {
			r.Revision, err = t.kv.Create(ctx, r.Key, raw)
		} else {
			r.Revision, err = t.kv.Update(ctx, r.Key, raw, r.Revision)
		}
		return err
	})
	return r, t.conflict("write", r.Key, err)
}

func (t *Table[T]) conflict(verb, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case wrongRevision(err):
		return fmt.Errorf("%s %s %s: %w", verb, t.name, key, ErrConflict)
	default:
		return fmt.Errorf("%s %s %s: %w", verb, t.name, key, bus.Failed(err))
	}
}

// wrongRevision knows both codes with which a broker refuses: a replicated
// bucket has one of its own.
func wrongRevision(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
			api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// ErrUnchanged is what a function given to Change returns to leave the record
// as it is.
var ErrUnchanged = errors.New("unchanged")

// Change reads the record, lets change alter it and writes it back, again and
// again while others change it in between. change sees a zero value and exists
// false where there is no record; it must have no effect but on its argument.
// Returning ErrUnchanged writes nothing and is no error of Change.
func (t *Table[T]) Change(ctx context.Context, p failpoint.Point, key string, change func(v *T, exists bool) error) (Record[T], error) {
	return t.ChangeFrom(ctx, p, Record[T]{Key: key}, change)
}

// ChangeFrom is Change for whoever has just read the record: it is read again
// only where somebody changed it in between. Of a record of revision 0 only the
// key is known.
func (t *Table[T]) ChangeFrom(ctx context.Context, p failpoint.Point, r Record[T], change func(v *T, exists bool) error) (Record[T], error) {
	for {
		exists := r.Revision != 0
		if !exists {
			read, err := t.Get(ctx, r.Key)
			exists = err == nil
			if !exists && !errors.Is(err, ErrNotFound) {
				return read, err
			}
			read.Key = r.Key
			r = read
		}
		if err := change(&r.Value, exists); err != nil {
			if errors.Is(err, ErrUnchanged) {
				return r, nil
			}
			return r, err
		}
		written, err := t.Put(ctx, p, r)
		if !errors.Is(err, ErrConflict) {
			return written, err
		}
		if ctx.Err() != nil {
			return r, fmt.Errorf("change %s %s: %w", t.name, r.Key, ctx.Err())
		}
		r = Record[T]{Key: r.Key}
	}
}

// Delete removes the record if it is still at r's revision, else ErrConflict.
// A record of revision 0 was never read: it is a conflict too.
func (t *Table[T]) Delete(ctx context.Context, p failpoint.Point, r Record[T]) error {
	if r.Revision == 0 {
		return fmt.Errorf("remove %s %s: %w", t.name, r.Key, ErrConflict)
	}
	err := t.fail.Around(p, func() error {
		ctx, cancel := context.WithTimeout(ctx, answer)
		defer cancel()
		return t.kv.Purge(ctx, r.Key, jetstream.LastRevision(r.Revision), jetstream.PurgeTTL(markerTTL))
	})
	return t.conflict("remove", r.Key, err)
}
