package registry

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// What a registry that says nothing of limits is asked for at most.
const (
	hostedRate         = 20  // requests a second of one that many share; Google's refuse more
	ownRate            = 100 // of one that somebody runs for himself
	defaultConcurrency = 8
)

// Budget says when a registry may be asked. It may be shared by all who ask
// it.
type Budget interface {
	// Wait returns when one request about a part of the registry may be sent,
	// and how many may be in flight here; 0: as configured. A part that is to be
	// left alone, or a budget that frees nothing before ctx ends, is an
	// *Unavailable that is an ErrPaused.
	Wait(ctx context.Context, about Part) (inFlight int, err error)
	// Rest leaves a part of the registry alone until a moment, as it asked for,
	// or for longer each time where it does not say: see [Pause.Following].
	Rest(ctx context.Context, pause Pause)
	// Answered tells that what was asked for at a moment was served.
	Answered(ctx context.Context, about Part, sent time.Time)
}

// Limits are the registry's, with what its configuration leaves to us.
func Limits(r config.Registry) config.Limits {
	l := r.Limits
	if l.RequestsPerSecond <= 0 {
		l.RequestsPerSecond = ownRate
		if hosted(r.Kind()) {
			l.RequestsPerSecond = hostedRate
		}
	}
	if l.Concurrency <= 0 {
		l.Concurrency = defaultConcurrency
	}
	return l
}

func hosted(t config.RegistryType) bool {
	switch t {
	case config.DockerHub, config.Quay, config.ACR, config.ECR, config.GCR, config.GAR, config.GHCR, config.Alibaba:
		return true
	default:
		return false
	}
}

// Alone is the budget of a process that asks the registry by itself.
func Alone(r config.Registry) Budget {
	l := Limits(r)
	return &alone{limiter: rate.NewLimiter(rate.Limit(l.RequestsPerSecond), max(1, int(l.RequestsPerSecond)))}
}

type alone struct {
	limiter *rate.Limiter
	resting Pauses
}

// Wait waits for the limiter.
func (a *alone) Wait(ctx context.Context, about Part) (int, error) {
	if err := a.resting.Check(about, time.Now()); err != nil {
		return 0, err
	}
	err := a.limiter.Wait(ctx)
	if err != nil && ctx.Err() == nil { // the budget frees nothing before the deadline
		err = UsedUp(0)
	}
	return 0, err
}

// Rest leaves the registry alone.
func (a *alone) Rest(_ context.Context, pause Pause) { a.resting.Add(pause) }

// Answered ends a row of refusals.
func (a *alone) Answered(_ context.Context, about Part, sent time.Time) {
	a.resting.Answered(about, sent)
}

// UsedUp is the error of a budget that frees nothing in time; after is when it
// will, 0 for unknown.
func UsedUp(after time.Duration) error {
	return &Unavailable{RetryAfter: after, Reason: "the registry's request budget is used up", Paused: true}
}

// quota reads "100;w=21600": a number, and the seconds it is for.
func quota(h string) (n int64, window time.Duration, ok bool) {
	number, rest, _ := strings.Cut(h, ";")
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
	if err != nil || n < 0 {
		return 0, 0, false
	}
	if w, found := strings.CutPrefix(strings.TrimSpace(rest), "w="); found {
		if seconds, err := strconv.ParseUint(w, 10, 31); err == nil {
			window = time.Duration(seconds) * time.Second
		}
	}
	return n, window, true
}

// slots bounds the requests in flight. How many there may be can change while
// some are.
type slots struct {
	mu    sync.Mutex
	used  int
	freed chan struct{} // closed when one is given back
}

func newSlots() *slots { return &slots{freed: make(chan struct{})} }

func (s *slots) take(ctx context.Context, most int) error {
	for {
		s.mu.Lock()
		if s.used < most {
			s.used++
			s.mu.Unlock()
			return nil
		}
		freed := s.freed
		s.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	close(s.freed)
	s.freed = make(chan struct{})
}
