package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"
)

// group lets concurrent publishers to one stream share confirmations. A broker
// that syncs to disk before it confirms does so once for each message; what has
// gathered while the messages before were on their way goes out as one atomic
// batch (NATS architecture decision record 50), which is synced once. There is
// no timer: who is alone publishes alone.
type group struct {
	b *Bus

	mu      sync.Mutex
	alone   int // publishers that are not grouped
	waiting []*waiter
	leading bool // somebody takes what is waiting to the broker
}

// waiter is a publisher and its answer.
type waiter struct {
	msg  *nats.Msg
	done chan error
}

const (
	// mostAlone is how many publish by themselves before others are grouped. The
	// broker opens files for a batch, which takes it as long as 12 to 16 syncs.
	mostAlone = 16
	// mostGrouped and mostGroupedBytes bound a batch; the broker takes 1000.
	mostGrouped      = 512
	mostGroupedBytes = 512 << 10
)

// publish returns once the broker confirmed the message.
func (g *group) publish(ctx context.Context, m *nats.Msg) error {
	g.mu.Lock()
	if g.alone < mostAlone && !g.leading {
		g.alone++
		g.mu.Unlock()
		err := g.b.confirmed(ctx, m)
		g.mu.Lock()
		g.alone--
		g.mu.Unlock()
		return err
	}
	w := &waiter{msg: m, done: make(chan error, 1)}
	g.waiting = append(g.waiting, w)
	if !g.leading {
		g.leading = true
		go g.lead() //nolint:gosec,contextcheck // not with ctx, which is one publisher's: it works for all of them
	}
	g.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lead takes what is waiting to the broker, batch after batch, until nothing is.
func (g *group) lead() {
	for {
		batch := g.next()
		if len(batch) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
		g.commit(ctx, batch)
		cancel()
	}
}

func (g *group) next() []*waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, bytes := 0, 0
	for n < min(len(g.waiting), mostGrouped) && bytes < mostGroupedBytes {
		bytes += g.waiting[n].msg.Size()
		n++
	}
	batch := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	g.leading = n > 0
	return batch
}

// commit stores all of the batch, or each by itself: where they are few, or
// where the broker refuses the batch because of one of them (a duplicate, say).
func (g *group) commit(ctx context.Context, batch []*waiter) {
	if len(batch) < mostAlone {
		g.each(ctx, batch)
		return
	}
	err := g.atomic(ctx, batch)
	if _, refused := errors.AsType[*jetstream.APIError](err); refused {
		g.each(ctx, batch)
		return
	}
	for _, w := range batch {
		w.done <- err
	}
}

func (g *group) each(ctx context.Context, batch []*waiter) {
	var running errgroup.Group
	running.SetLimit(mostAlone)
	for _, w := range batch {
		running.Go(func() error {
			w.done <- g.b.confirmed(ctx, w.msg)
			return nil
		})
	}
	_ = running.Wait() // each has told its own
}

// atomic publishes the batch; only its last message is confirmed, for all.
func (g *group) atomic(ctx context.Context, batch []*waiter) error {
	id, last := nuid.Next(), len(batch)-1
	for i, w := range batch[:last] {
		if err := g.b.nc.PublishMsg(member(w.msg, id, i+1)); err != nil {
			return err
		}
	}
	m := member(batch[last].msg, id, last+1)
	m.Header.Set("Nats-Batch-Commit", "1")
	answer, err := g.b.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return err
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		Count int                 `json:"count"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return fmt.Errorf("decode confirmation of a batch: %w", err)
	}
	switch {
	case ack.Error != nil:
		return ack.Error
	case ack.Count != len(batch):
		return fmt.Errorf("%d of %d messages confirmed", ack.Count, len(batch))
	default:
		return nil
	}
}

// member is a message as part of a batch. The original may have to be published
// by itself yet.
func member(m *nats.Msg, batch string, sequence int) *nats.Msg {
	header := maps.Clone(m.Header)
	header.Set("Nats-Batch-Id", batch)
	header.Set("Nats-Batch-Sequence", strconv.Itoa(sequence))
	return &nats.Msg{Subject: m.Subject, Header: header, Data: m.Data}
}
