package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/dead"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// replayBatch bounds the letters that one request replays.
const replayBatch = 100

func (a *API) replayDead(w http.ResponseWriter, r *http.Request) error {
	l, err := a.letter(r)
	if err == nil {
		err = a.replay(r.Context(), l)
	}
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, showLetter(l))
}

// deadOrder asks for letters to be replayed.
type deadOrder struct {
	Stream   events.StreamName `json:"stream"`
	Contains string            `json:"contains"`
	Cursor   string            `json:"cursor"`
}

// deadOutcome is what became of a batch.
type deadOutcome struct {
	Replayed   int    `json:"replayed"`
	Skipped    int    `json:"skipped"` // letters that cannot be replayed
	NextCursor string `json:"nextCursor,omitempty"`
}

// replayAll replays a batch of letters, oldest first. The cursor goes up to the
// letters that there were at the first batch: one that comes back because it
// is still not handled is not replayed again and again.
func (a *API) replayAll(w http.ResponseWriter, r *http.Request) error {
	var order deadOrder
	if err := read(r, &order); err != nil {
		return err
	}
	filter := dead.Filter{Stream: order.Stream, Contains: order.Contains}
	if err := checkDeadFilter(filter); err != nil {
		return problem.New(http.StatusBadRequest, err.Error(), "")
	}
	span, err := a.span(r.Context(), order.Cursor)
	if err != nil {
		return err
	}
	list, rest, err := a.letters().Oldest(r.Context(), filter, span, replayBatch)
	if err != nil {
		return err
	}
	out, err := a.replayEach(r.Context(), list)
	if err != nil {
		return err
	}
	if !rest.Empty() {
		out.NextCursor = strconv.FormatUint(rest.From, 10) + "-" + strconv.FormatUint(rest.To, 10)
	}
	return write(w, http.StatusOK, out)
}

// span is what a batch's cursor leaves to be looked at; all, without one.
func (a *API) span(ctx context.Context, cursor string) (dead.Span, error) {
	if cursor == "" {
		return a.letters().All(ctx)
	}
	from, to, _ := strings.Cut(cursor, "-")
	first, err := strconv.ParseUint(from, 10, 64)
	last, lastErr := strconv.ParseUint(to, 10, 64)
	if errors.Join(err, lastErr) != nil {
		return dead.Span{}, problem.New(http.StatusBadRequest, "the cursor is none that a batch gave", "")
	}
	return dead.Span{From: first, To: last}, nil
}

func (a *API) replayEach(ctx context.Context, list []dead.Letter) (out deadOutcome, err error) {
	for _, listed := range list {
		l, err := a.letters().Get(ctx, listed.Sequence)
		if errors.Is(err, dead.ErrNotFound) {
			continue // somebody else was faster
		}
		if err == nil {
			err = a.replay(ctx, l)
		}
		var refused *problem.Problem
		switch {
		case errors.As(err, &refused):
			out.Skipped++
		case err != nil:
			return out, err
		default:
			out.Replayed++
		}
	}
	return out, nil
}

// replay publishes what the letter holds and removes the letter. Its error is a
// problem where the letter is what is wrong.
func (a *API) replay(ctx context.Context, l dead.Letter) error {
	if !l.Replayable() {
		return problem.New(http.StatusConflict, "dead letter "+l.ID()+" cannot be replayed: it is not whole, or does not say where it was",
			"it is kept for people to read")
	}
	m, err := a.renewed(ctx, l)
	if err != nil {
		return err
	}
	err = a.letters().Replay(ctx, l, m)
	if errors.Is(err, dead.ErrNoStream) {
		return problem.New(http.StatusConflict, "dead letter "+l.ID()+" cannot be replayed: "+err.Error(), "")
	}
	return err
}

// renewed is the message that replays the letter: its own, but for the wake-up
// of a scan that failed, whose job is to be started again.
func (a *API) renewed(ctx context.Context, l dead.Letter) (*nats.Msg, error) {
	m := l.Message()
	e, err := events.Decode(events.Message{Subject: m.Subject, Header: m.Header, Data: m.Data})
	if err != nil {
		return m, nil //nolint:nilerr // not ours to judge: whoever consumes it will
	}
	wish, ok := e.Data().(events.ScanRequested)
	if !ok {
		return m, nil
	}
	job, err := a.restart(ctx, wish.Digest, l)
	if err != nil {
		return nil, err
	}
	if e, err = events.New(job.WakeUp(), events.Meta{ID: l.MessageID(), Source: "report", Time: time.Now()}); err != nil {
		return nil, err
	}
	again := a.Bus.Topology().Encode(e)
	return &nats.Msg{Subject: again.Subject, Header: again.Header, Data: again.Data}, nil
}

// restart queues a job that failed once more, for whoever replays the letter;
// the places that it was asked for at are tried again. It does nothing to a job
// that goes on, or was restarted for this letter before.
func (a *API) restart(ctx context.Context, d events.Digest, l dead.Letter) (state.Job, error) {
	rec, err := a.State.Jobs.Change(ctx, failpoint.DeadJob, d.Token(), func(j *state.Job, exists bool) error {
		if !exists {
			return state.ErrNotFound
		}
		if j.State != state.JobFailed || len(j.Requesters) == 0 {
			return state.ErrUnchanged
		}
		before := slices.Clone(j.Requesters)
		r := before[0]
		r.ID, r.Lane, r.At = l.MessageID(), j.Lane, time.Now()
		if !j.Request(r, r.At) {
			return state.ErrUnchanged
		}
		for _, other := range before {
			j.Request(other, r.At)
		}
		return nil
	})
	if errors.Is(err, state.ErrNotFound) {
		return state.Job{}, problem.New(http.StatusConflict, "dead letter "+l.ID()+" cannot be replayed: the scan's record is gone",
			"`landwaiter scan REF` scans the image again; records of scans are kept for 7 days")
	}
	return rec.Value, err
}
