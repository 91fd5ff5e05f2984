package dead

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// ErrNotFound is the error for a letter that is not there: it never was, its
// time is over, or it was replayed.
var ErrNotFound = errors.New("no such dead letter")

// ErrNoStream is the error of a replay to a subject that no stream takes.
var ErrNoStream = errors.New("no stream takes its subject")

// Letters are the dead letters of an installation.
type Letters struct{ bus *bus.Bus }

// New returns the letters on a broker.
func New(b *bus.Bus) Letters { return Letters{bus: b} }

// Filter chooses letters.
type Filter struct {
	Stream   events.StreamName // what they were on; blank: any
	Contains string            // part of the reason; blank: any
}

func (f Filter) fits(l Letter) bool {
	return (f.Stream == "" || f.Stream == l.Stream) && strings.Contains(l.Reason, f.Contains)
}

// patience bounds each question to the broker.
const patience = 5 * time.Second

// Get reads a letter with its data.
func (l Letters) Get(ctx context.Context, sequence uint64) (Letter, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := l.stream(ctx)
	if err != nil {
		return Letter{}, err
	}
	m, err := s.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Letter{}, ErrNotFound
	}
	if err != nil {
		return Letter{}, fmt.Errorf("read dead letter %d: %w", sequence, err)
	}
	letter := newLetter(m.Subject, m.Sequence, m.Time, m.Header)
	letter.Data, letter.Size = m.Data, len(m.Data)
	return letter, nil
}

// Replay publishes a message, the letter's own or one in its place, and removes
// the letter once the broker has confirmed. What was cut off in between can be
// done again: the broker, and beyond its window whoever handles the message,
// know its ids.
func (l Letters) Replay(ctx context.Context, letter Letter, m *nats.Msg) error {
	err := l.bus.PublishMessage(ctx, failpoint.DeadReplay, m)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		return fmt.Errorf("%w: %s", ErrNoStream, m.Subject)
	}
	if err != nil {
		return err
	}
	return l.bus.Fail().Around(failpoint.DeadRemove, func() error { return l.remove(ctx, letter.Sequence) })
}

func (l Letters) remove(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := l.stream(ctx)
	if err != nil {
		return err
	}
	if err := s.DeleteMsg(ctx, sequence); err != nil {
		if _, gone := s.GetMsg(ctx, sequence); errors.Is(gone, jetstream.ErrMsgNotFound) {
			return nil // somebody else was faster
		}
		return fmt.Errorf("remove dead letter %d: %w", sequence, err)
	}
	return nil
}

func (l Letters) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := l.bus.JetStream().Stream(ctx, l.bus.Topology().Stream(events.Dead))
	if err != nil {
		return nil, fmt.Errorf("open dead letters: %w", err)
	}
	return s, nil
}
