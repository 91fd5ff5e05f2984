package registry

import (
	"context"
	"net/http"
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
	maxRetryAfter      = 24 * time.Hour
	silentRest         = 5 * time.Second // for a registry that refuses and does not say for how long
)

// Budget says when a registry may be asked. It may be shared by all who ask
// it.
type Budget interface {
	// Wait returns when one request may be sent, and how many may be in flight
	// here; 0: as configured. A registry that is to be left alone, or whose
	// budget frees nothing before ctx ends, is an *Unavailable.
	Wait(ctx context.Context) (inFlight int, err error)
	// Rest leaves the registry alone until a moment, as it asked for.
	Rest(ctx context.Context, until time.Time, why string)
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
	resting Rest
}

// Wait waits for the limiter.
func (a *alone) Wait(ctx context.Context) (int, error) {
	if err := a.resting.Check(time.Now()); err != nil {
		return 0, err
	}
	err := a.limiter.Wait(ctx)
	if err != nil && ctx.Err() == nil { // the budget frees nothing before the deadline
		err = UsedUp(0)
	}
	return 0, err
}

// Rest leaves the registry alone.
func (a *alone) Rest(_ context.Context, until time.Time, why string) { a.resting.Set(until, why) }

// UsedUp is the error of a budget that frees nothing in time; after is when it
// will, 0 for unknown.
func UsedUp(after time.Duration) error {
	return &Unavailable{RetryAfter: after, Reason: "the registry's request budget is used up"}
}

// Rest remembers that a registry asked to be left alone. Its zero value does
// not. It is safe for use by many goroutines.
type Rest struct {
	mu    sync.Mutex
	until time.Time
	why   string
}

// Set leaves the registry alone until a moment, unless it was to be left alone
// for longer.
func (r *Rest) Set(until time.Time, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until.After(r.until) {
		r.until, r.why = until, why
	}
}

// Check is an *Unavailable while the registry is to be left alone.
func (r *Rest) Check(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := r.until.Sub(now); left > 0 {
		return &Unavailable{RetryAfter: left, Reason: "the registry asked to be left alone: " + r.why}
	}
	return nil
}

// retryAfter reads the header: seconds, or a date. At most a day.
func retryAfter(h string, now time.Time) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.ParseUint(h, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(h); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// pullRest reads what Docker Hub says of the pulls left, and returns how long
// none should be tried; 0: some are left. The window slides, so that a pull
// comes free after the window's length divided by the pulls in it. See
// https://docs.docker.com/docker-hub/usage/pulls/
func pullRest(h http.Header) time.Duration {
	left, _, ok := quota(h.Get("Ratelimit-Remaining"))
	if !ok || left > 0 {
		return 0
	}
	const least, most = time.Minute, time.Hour
	limit, window, ok := quota(h.Get("Ratelimit-Limit"))
	if !ok || limit == 0 || window == 0 {
		return least
	}
	return min(max(window/time.Duration(limit), least), most)
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
