package registries

import (
	"context"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const (
	// present is how long a worker that asked a registry counts as one of those
	// who share its budget.
	present = time.Minute
	// stale is how long after its time what was leased may be used: what lay
	// around for long would be a burst.
	stale = 2 * time.Second
	// leaseTimeout bounds the record's change; a broker that takes longer must
	// not keep registries from being read.
	leaseTimeout = 2 * time.Second
)

// budget is a worker's part in what a registry may be asked. Requests are
// leased from the registry's record, about a second's worth at a time: whoever
// leases moves the record's time on by what that many requests take, so that
// all workers together keep to the rate. Clocks that differ make the ones that
// lag wait by the difference. Without the record each worker keeps to the share
// it had last.
type budget struct {
	table  *state.Table[state.Budget]
	wishes *state.Table[state.Pauses]
	name   string // of the registry
	asker  string // who the registry speaks to: its address and our credential
	worker string
	limits config.Limits
	log    *zap.Logger
	now    func() time.Time

	resting registry.Pauses // those of the record, which Set follows, and our own
	turn    chan struct{}   // held by whoever leases

	mu      sync.Mutex
	from    time.Time // when what is leased may be used
	until   time.Time // until when
	left    int
	workers int // who share, this one included
	alone   *rate.Limiter
}

func newBudget(st *state.Store, cfg config.Registry, worker string, log *zap.Logger) *budget {
	limits := registry.Limits(cfg)
	return &budget{
		table: st.Budgets, wishes: st.Pauses, name: cfg.Name, asker: cfg.Host() + " " + cfg.Credential, worker: worker, limits: limits, log: log, now: time.Now,
		turn: make(chan struct{}, 1), workers: 1,
		alone: rate.NewLimiter(rate.Limit(limits.RequestsPerSecond), 1),
	}
}

// Wait waits for a request that is this worker's to send.
func (b *budget) Wait(ctx context.Context, about registry.Part) (inFlight int, err error) {
	for {
		if err := b.resting.Check(about, b.now()); err != nil {
			return 0, err
		}
		at, ok := b.take(ctx)
		if ok {
			if err := sleep(ctx, at.Sub(b.now())); err != nil {
				return 0, err
			}
			return b.share(), b.resting.Check(about, b.now()) // it may have been told meanwhile
		}
		if !at.IsZero() { // there are some, too late for this one
			return 0, registry.UsedUp(at.Sub(b.now()))
		}
		if err := b.lease(ctx); err != nil {
			return b.unshared(ctx, err)
		}
	}
}

// take takes a leased request. It is not taken where its time comes only after
// the caller's has ended; at is then that time.
func (b *budget) take(ctx context.Context) (at time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 || b.now().After(b.until) {
		b.left = 0
		return time.Time{}, false
	}
	if deadline, bounded := ctx.Deadline(); bounded && b.from.After(deadline) {
		return b.from, false
	}
	b.left--
	return b.from, true
}

// lease gets the next requests, unless somebody here just did.
func (b *budget) lease(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	has := b.left > 0 && !b.now().After(b.until)
	b.mu.Unlock()
	if has {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	var from, until time.Time
	var n int
	rec, err := b.table.Change(ctx, failpoint.RegistryBudget, b.name, func(rec *state.Budget, _ bool) error {
		from, until, n = b.next(rec, b.now())
		return nil
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.from, b.until, b.left, b.workers = from, until.Add(stale), n, len(rec.Value.Workers)
	return nil
}

// next moves the record on by one lease.
func (b *budget) next(rec *state.Budget, now time.Time) (from, until time.Time, n int) {
	workers := map[string]time.Time{b.worker: now.Add(present)}
	for name, until := range rec.Workers {
		if until.After(now) && name != b.worker {
			workers[name] = until
		}
	}
	rec.Workers = workers
	n = max(1, int(math.Ceil(b.limits.RequestsPerSecond/float64(len(workers)))))
	from = now
	if rec.Next.After(from) && rec.Next.Before(now.Add(b.horizon(len(workers)))) {
		from = rec.Next
	}
	until = from.Add(time.Duration(float64(n) / b.limits.RequestsPerSecond * float64(time.Second)))
	rec.Next = until
	return from, until, n
}

// horizon is further ahead than the leases of all who share reach: what is
// beyond was written by a clock that is wrong, and nobody waits for it.
func (b *budget) horizon(workers int) time.Duration {
	return 10*time.Second + time.Duration(2*float64(workers+1)/b.limits.RequestsPerSecond*float64(time.Second))
}

// share is how many requests may be in flight here.
func (b *budget) share() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(1, b.limits.Concurrency/max(1, b.workers))
}

// unshared goes on without the record.
func (b *budget) unshared(ctx context.Context, cause error) (int, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	b.log.Warn("registry budget not shared, keeping to a share of it", zap.String("registry", b.name), zap.Error(cause))
	b.mu.Lock()
	b.alone.SetLimit(rate.Limit(b.limits.RequestsPerSecond / float64(max(1, b.workers))))
	b.mu.Unlock()
	if err := b.alone.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, registry.UsedUp(0)
	}
	return b.share(), nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
