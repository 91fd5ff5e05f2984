package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/report/internal/feed"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
	"github.com/landwaiter/landwaiter/services/report/internal/project"
	"github.com/landwaiter/landwaiter/services/report/internal/reference"
)

const (
	// mostStreams bounds the followers: each holds a consumer at the broker.
	mostStreams = 256
	// heartbeat keeps what lies between from taking a quiet stream for dead.
	heartbeat = 15 * time.Second
	// writeWait is how long a follower may take to read what is sent: one that
	// is slower is let go, and begins again after the last event it got.
	writeWait = 10 * time.Second
)

// slots bounds something.
type slots chan struct{}

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) give() { <-s }

// follow is what a follower asked for.
type follow struct {
	registry string
	ref      reference.Reference // zero: any
	after    uint64
}

func followOf(r *http.Request) (follow, error) {
	q := r.URL.Query()
	f := follow{registry: q.Get("registry")}
	if f.registry != "" && !events.ValidName(f.registry) {
		return f, problem.New(http.StatusBadRequest, strconv.Quote(f.registry)+" is not the name of a registry", "")
	}
	if text := q.Get("ref"); text != "" {
		ref, err := reference.Parse(text)
		if err != nil {
			return f, problem.New(http.StatusBadRequest, err.Error(), "")
		}
		f.ref = ref
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		n, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			return f, problem.New(http.StatusBadRequest, "Last-Event-ID is not an event's number", "leave it out to begin with what comes now")
		}
		f.after = n
	}
	return f, nil
}

func (a *API) followEvents(w http.ResponseWriter, r *http.Request) error {
	f, err := followOf(r)
	if err != nil {
		return err
	}
	if !a.streams.take() {
		w.Header().Set("Retry-After", "10")
		return problem.New(http.StatusServiceUnavailable, fmt.Sprintf("%d streams of events are open already", mostStreams), "close some, or ask again later")
	}
	defer a.streams.give()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() { // ends with the request
		select {
		case <-a.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	follower := a.Feed.Follow(f.registry, f.after)
	if err := follower.Start(ctx); err != nil {
		return err
	}
	s := &stream{w: w, c: http.NewResponseController(w)}
	if err := s.begin(); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := a.pass(ctx, follower, f, s); err != nil {
			a.Log.Debug("stream ended", zap.Error(err))
			return nil
		}
	}
	return nil
}

// pass sends what comes within a heartbeat, or a heartbeat.
func (a *API) pass(ctx context.Context, follower *feed.Follower, f follow, s *stream) error {
	results, err := follower.Next(ctx, heartbeat)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// The broker is away: the follower goes on where it was.
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	if len(results) == 0 {
		return s.send(": still here\n\n")
	}
	for _, result := range results {
		if !f.wants(result.Event) {
			continue
		}
		if d := project.DigestOf(result.Event); d != "" {
			if err := a.Catchup.Await(ctx, d, result.Sequence); err != nil && ctx.Err() == nil {
				a.Log.Warn("view behind an event", zap.String("image", string(d)), zap.Error(err))
			}
		}
		raw, err := result.JSON()
		if err != nil {
			return err
		}
		if err := s.send(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", result.Sequence, result.Kind(), raw)); err != nil {
			return err
		}
	}
	return nil
}

func (f follow) wants(e events.Event) bool {
	if f.ref == (reference.Reference{}) {
		return true
	}
	about, err := reference.Parse(e.About())
	return err == nil && about.Host == f.ref.Host && about.Repository == f.ref.Repository &&
		(f.ref.Digest == "" || f.ref.Digest == about.Digest)
}

// stream writes server-sent events.
type stream struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func (s *stream) begin() error {
	if err := s.c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	s.w.Header().Set("Content-Type", "text/event-stream")
	s.w.Header().Set("Cache-Control", "no-store")
	s.w.Header().Set("X-Accel-Buffering", "no")
	s.w.WriteHeader(http.StatusOK)
	return s.send("retry: 2000\n\n")
}

func (s *stream) send(text string) error {
	if err := s.c.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	_, err := s.w.Write([]byte(text))
	return errors.Join(err, s.c.Flush())
}
