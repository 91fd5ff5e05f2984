package dead

import (
	"context"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
)

// read visits the letters of a span in order, without their data, until visit
// has enough; of one stream, or of all where its name is blank. rest is what
// was not visited.
func (l Letters) read(ctx context.Context, of events.StreamName, s Span, visit func(Letter) (more bool)) (rest Span, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	js, stream := l.bus.JetStream(), l.bus.Topology().Stream(events.Dead)
	config := jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(s.From, 1), HeadersOnly: true,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: 2 * patience,
	}
	if of != "" {
		config.FilterSubject = l.bus.Topology().DeadSubject(of)
	}
	cons, err := js.CreateConsumer(ctx, stream, config)
	if err != nil {
		return s, fmt.Errorf("read dead letters: %w", err)
	}
	// One that stays behind is forgotten by the broker.
	defer func() { _ = js.DeleteConsumer(ctx, stream, cons.CachedInfo().Name) }()
	r := reader{rest: s, pending: cons.CachedInfo().NumPending, visit: visit}
	for !r.enough && r.pending > 0 && !r.rest.Empty() {
		if err := r.some(ctx, cons); err != nil {
			return s, fmt.Errorf("read dead letters: %w", err)
		}
	}
	if !r.enough {
		r.rest.From = s.To
	}
	return r.rest, nil
}

// reader goes through a span.
type reader struct {
	rest    Span
	pending uint64 // letters that the broker has not sent yet
	visit   func(Letter) (more bool)
	enough  bool
}

// some reads the letters that the broker sends at once.
func (r *reader) some(ctx context.Context, cons jetstream.Consumer) error {
	batch, err := cons.FetchNoWait(window)
	if err != nil {
		return err
	}
	none := true
	for m := range batch.Messages() {
		none = false
		if err := r.letter(m); err != nil {
			return err
		}
	}
	if !none || batch.Error() != nil {
		return batch.Error()
	}
	info, err := cons.Info(ctx) // they were removed meanwhile, or the broker is slow
	if err == nil {
		r.pending = info.NumPending
	}
	return err
}

func (r *reader) letter(m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	r.pending = meta.NumPending
	sequence := meta.Sequence.Stream
	if r.enough {
		return nil
	}
	if sequence >= r.rest.To {
		r.rest.From = r.rest.To
		return nil
	}
	r.rest.From = sequence + 1
	letter := newLetter(m.Subject(), sequence, meta.Timestamp, m.Headers())
	if letter.Size, err = strconv.Atoi(m.Headers().Get(nats.MsgSize)); err != nil {
		return fmt.Errorf("size of letter %d: %w", sequence, err)
	}
	r.enough = !r.visit(letter)
	return nil
}
