package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/services/internal/bus"
)

const (
	// listBatch is how many records of a list are on their way at a time. A
	// watch would be sent all of them as fast as the broker can: tens of
	// megabytes that wait in this process.
	listBatch = 256
	// listWait is how long the broker waits for a record that it has counted
	// and that is removed before it is sent.
	listWait = 2 * time.Second
	// listIdle is when the broker forgets the list of a process that died.
	listIdle = 30 * time.Second
	// listWalks bounds how often a list goes through what was changed during its
	// last walk, where writers never rest.
	listWalks = 16
	// listWaits is how often in a row nothing may come of what the stream holds.
	listWaits = 3
)

// errListLost ends a list of which something got lost on the way.
var errListLost = errors.New("records were lost on the way")

// All calls each for every record whose key matches the filter, such as "a.*"
// or "a.>", and stops at its first error. Records that cannot be decoded end
// it with an error naming them. It sees every record that is there all the
// time, unless one is written again and again, each time just before its turn;
// of one that is changed meanwhile it sees the old or the new state, or both. Of
// a table of any size it holds a few hundred records at a time.
func (t *Table[T]) All(ctx context.Context, filter string, each func(Record[T]) error) error {
	if err := t.list(ctx, filter, everything(), each); err != nil {
		return fmt.Errorf("list %s %s: %w", t.name, filter, err)
	}
	return nil
}

// Since is All for the records that were changed after a revision. It costs by
// what has changed, and not by what there is.
func (t *Table[T]) Since(ctx context.Context, filter string, revision uint64, each func(Record[T]) error) error {
	from := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: revision + 1}
	if err := t.list(ctx, filter, from, each); err != nil {
		return fmt.Errorf("list changed %s %s: %w", t.name, filter, err)
	}
	return nil
}

func (t *Table[T]) list(ctx context.Context, filter string, from jetstream.ConsumerConfig, each func(Record[T]) error) error {
	return t.source.list(ctx, t.subjects+filter, from, func(m message) error {
		if removal(m.Headers()) {
			return nil
		}
		r, err := t.decode(strings.TrimPrefix(m.Subject(), t.subjects), m.Data(), m.sequence)
		if err != nil {
			return err
		}
		return each(r)
	})
}

// removal reports whether a message says that a record was removed, by somebody
// or by its age.
func removal(h nats.Header) bool {
	return h.Get("KV-Operation") != "" || h.Get(jetstream.MarkerReasonHeader) != ""
}

// source is a stream that keeps one message for each of its subjects.
type source struct {
	conn     *nats.Conn
	messages jetstream.Stream
}

// message is a stream's message and its place in it.
type message struct {
	jetstream.Msg
	sequence uint64
	at       time.Time
}

// everything begins a list with what is there.
func everything() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}
}

// list reads the stream through a consumer of its own, which goes with it. Its
// errors are the broker's but for those of each.
func (s source) list(ctx context.Context, subjects string, from jetstream.ConsumerConfig, each func(message) error) error {
	if !s.conn.IsConnected() {
		return bus.Failed(errBrokerGone)
	}
	lost, forget := lostConnection(s.conn)
	defer forget()
	from.FilterSubject, from.InactiveThreshold = subjects, listIdle
	from.AckPolicy, from.MemoryStorage, from.Replicas = jetstream.AckNonePolicy, true, 1
	begin, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	info, err := s.messages.Info(begin)
	if err != nil {
		return bus.Failed(err)
	}
	consumer, err := s.messages.CreateConsumer(begin, from)
	if err != nil {
		return bus.Failed(err)
	}
	defer s.endList(ctx, consumer)
	l := lister{source: s, subjects: subjects, consumer: consumer, lost: lost, each: each, begun: info.State.LastSeq}
	if err := l.run(ctx); err != nil && l.refused == nil {
		return bus.Failed(err)
	}
	return l.refused
}

// endList removes a list's consumer. What does not succeed the broker does after
// listIdle.
func (s source) endList(ctx context.Context, c jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answer)
	defer cancel()
	_ = s.messages.DeleteConsumer(ctx, c.CachedInfo().Name)
}

// lister goes through one list.
type lister struct {
	source
	subjects string
	consumer jetstream.Consumer
	lost     <-chan nats.Status
	each     func(message) error

	begun   uint64 // the stream's last place before the list began
	taken   uint64 // messages so far
	last    uint64 // the last one's place in the stream
	pending uint64 // messages that are still to come, as the broker counts them
	refused error  // what each said of a message: not the broker's failure
}

// run ends when nothing is left, or nothing but what writers have just written.
// What is changed meanwhile moves to the end of the list, records among it that
// were still to come: so that is read too, again and again.
func (l *lister) run(ctx context.Context) error {
	l.pending = l.consumer.CachedInfo().NumPending
	for walks, waits := 0, 0; l.pending > 0 && walks < listWalks; {
		before := l.taken
		whole, err := l.walk(ctx)
		if err == nil {
			err = l.look(ctx)
		}
		switch {
		case err != nil:
			return err
		case whole:
			walks++
		case l.taken > before || l.pending == 0:
			waits = 0
		default:
			if waits++; waits == listWaits {
				return errListLost
			}
		}
	}
	return nil
}

// walk reads what is pending now, or less where a batch comes short.
func (l *lister) walk(ctx context.Context) (whole bool, err error) {
	until := l.taken + l.pending
	for l.pending > 0 && l.taken < until {
		whole, err := l.batch(ctx, int(min(l.pending, until-l.taken, listBatch)))
		if !whole || err != nil {
			return false, err
		}
	}
	return true, nil
}

// look asks the stream itself whether there is more: what the broker counts for
// a consumer lags behind what is being written. Nothing that was there at first
// is overlooked, so only what has been written since need be looked through.
func (l *lister) look(ctx context.Context) error {
	if l.pending > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	_, err := l.messages.GetMsg(ctx, max(l.begun, l.last)+1, jetstream.WithGetMsgSubject(l.subjects))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	l.pending = 1
	return err
}

// batch reads size messages, or what comes of them.
func (l *lister) batch(ctx context.Context, size int) (whole bool, err error) {
	messages, err := l.consumer.Fetch(size, jetstream.FetchMaxWait(listWait))
	if err != nil {
		return false, err
	}
	for range size {
		m, err := l.next(ctx, messages)
		if err != nil {
			return false, err
		}
		if m == nil {
			return false, l.short(ctx)
		}
		if err := l.take(m); err != nil {
			return false, err
		}
	}
	return true, nil
}

// next returns the next message of a batch, nil where no more comes.
func (l *lister) next(ctx context.Context, messages jetstream.MessageBatch) (jetstream.Msg, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.lost:
		return nil, errBrokerGone
	case m, open := <-messages.Messages():
		if !open {
			return nil, messages.Error()
		}
		return m, nil
	}
}

// short is for a batch that came short: records were removed before they were
// sent. That something was sent and did not come is an error.
func (l *lister) short(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	info, err := l.consumer.Info(ctx)
	if err != nil {
		return err
	}
	if info.Delivered.Consumer != l.taken {
		return errListLost
	}
	l.pending = 0 // as far as the broker counts
	return nil
}

func (l *lister) take(m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	if l.taken++; meta.Sequence.Consumer != l.taken {
		return errListLost
	}
	l.last, l.pending = meta.Sequence.Stream, meta.NumPending
	l.refused = l.each(message{Msg: m, sequence: meta.Sequence.Stream, at: meta.Timestamp})
	return l.refused
}
