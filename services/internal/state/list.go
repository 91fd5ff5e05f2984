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
	// listPause is how long a list that has just begun waits before it asks its
	// consumer again where nobody knows of it yet.
	listPause = 10 * time.Millisecond
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
// a table of any size it holds about a thousand records at a time; so few it
// sees once each, as they all were at one moment.
func (t *Table[T]) All(ctx context.Context, filter string, each func(Record[T]) error) error {
	if err := t.list(ctx, filter, t.few || filter != everyKey, everything(), each); err != nil {
		return fmt.Errorf("list %s %s: %w", t.name, filter, err)
	}
	return nil
}

// everyKey is the filter that matches every record, which may be very many.
const everyKey = ">"

// List is All for few records, a thousand or so: each once, as it was last seen.
func (t *Table[T]) List(ctx context.Context, filter string) ([]Record[T], error) {
	var list []Record[T]
	at := map[string]int{}
	err := t.list(ctx, filter, true, everything(), func(r Record[T]) error {
		if i, known := at[r.Key]; known {
			list[i] = r
			return nil
		}
		at[r.Key] = len(list)
		list = append(list, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s %s: %w", t.name, filter, err)
	}
	return list, nil
}

// Since is All for the records that were changed after a revision. It costs by
// what has changed, and not by what there is.
func (t *Table[T]) Since(ctx context.Context, filter string, revision uint64, each func(Record[T]) error) error {
	from := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: revision + 1}
	if err := t.list(ctx, filter, t.few || filter != everyKey, from, each); err != nil {
		return fmt.Errorf("list changed %s %s: %w", t.name, filter, err)
	}
	return nil
}

// list goes through the records: at once where they are few, which must be
// found out first.
func (t *Table[T]) list(ctx context.Context, filter string, few bool, from jetstream.ConsumerConfig, each func(Record[T]) error) error {
	decoded := func(m message) error {
		if removal(m.headers) {
			return nil
		}
		r, err := t.decode(strings.TrimPrefix(m.subject, t.subjects), m.data, m.sequence)
		if err != nil {
			return err
		}
		return each(r)
	}
	if few {
		if messages, err := t.snapshot(ctx, t.subjects+filter, from.OptStartSeq); err == nil {
			return forEach(messages, decoded)
		}
	}
	return t.source.list(ctx, t.subjects+filter, from, decoded)
}

// forEach stops at the first error.
func forEach[T any](list []T, do func(T) error) error {
	for _, item := range list {
		if err := do(item); err != nil {
			return err
		}
	}
	return nil
}

// removal reports whether a message says that a record was removed, by somebody
// or by its age.
func removal(h nats.Header) bool {
	return h.Get("KV-Operation") != "" || h.Get(jetstream.MarkerReasonHeader) != ""
}

// source is a stream that keeps one message for each of its subjects.
type source struct {
	conn       *nats.Conn
	messages   jetstream.Stream
	replicated bool
}

// message is a stream's message and its place in it.
type message struct {
	subject  string
	headers  nats.Header
	data     []byte
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
	l := lister{source: s, subjects: subjects, consumer: consumer, lost: lost, each: each, begun: info.State.LastSeq, last: max(from.OptStartSeq, 1) - 1}
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
	if l.pending == 0 && l.replicated {
		if err := l.look(ctx); err != nil {
			return err
		}
	}
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

// look asks the stream's leader whether there is more: what the broker counts
// for a consumer lags behind what is being written. Where there is one server,
// nothing that was there at first is overlooked, and only what has been written
// since is looked through; a consumer of a cluster may be at a server that has
// yet to hear of what was there.
func (l *lister) look(ctx context.Context) error {
	if l.pending > 0 {
		return nil
	}
	from := l.last + 1
	if !l.replicated {
		from = max(l.begun, l.last) + 1
	}
	_, err := l.ask(ctx, question{Sequence: from, Next: l.subjects})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	l.pending = 1
	return err
}

// batch reads size messages, or what comes of them. In a cluster it takes a
// moment until this server knows where the consumer is.
func (l *lister) batch(ctx context.Context, size int) (whole bool, err error) {
	for until := time.Now().Add(listWait); ; {
		whole, err := l.fetch(ctx, size)
		if !errors.Is(err, nats.ErrNoResponders) || l.taken > 0 || time.Now().After(until) {
			return whole, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(listPause):
		}
	}
}

func (l *lister) fetch(ctx context.Context, size int) (whole bool, err error) {
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
	l.refused = l.each(message{
		subject: m.Subject(), headers: m.Headers(), data: m.Data(), sequence: meta.Sequence.Stream, at: meta.Timestamp,
	})
	return l.refused
}
