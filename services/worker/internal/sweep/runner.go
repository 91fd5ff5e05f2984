package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/rule"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// runner is one worker's turn at a sweep.
type runner struct {
	*Sweeper

	key    string        // of the record
	waited time.Duration // for scans
	ends   time.Time     // of the turn, also where there is more to do
	mu     sync.Mutex    // renewing and stepping change the same record
	rec    state.Record[state.Sweep]
}

// save alters the record while the sweep is ours.
func (r *runner) save(ctx context.Context, alter func(*state.Sweep)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.rec
	next.Value.Outstanding = slices.Clone(next.Value.Outstanding)
	next.Value.Page = slices.Clone(next.Value.Page)
	alter(&next.Value)
	next, err := r.State.Sweeps.Put(ctx, failpoint.SweepCursor, next)
	if errors.Is(err, state.ErrConflict) {
		return errLost
	}
	if err == nil {
		r.rec = next
	}
	return err
}

func (r *runner) sweep() state.Sweep {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rec.Value
}

func (r *runner) renew(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(r.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := r.save(ctx, func(sw *state.Sweep) { sw.Lease.Until = r.Now().Add(r.Lease) })
		if errors.Is(err, errLost) {
			cancel(errLost)
			return
		}
		if err != nil && ctx.Err() == nil {
			r.Log.Warn("sweep lease not renewed", zap.String("sweep", r.key), zap.Error(err))
		}
	}
}

// watch ends the turn as soon as somebody else has written the record: the
// sweep was cancelled or taken over.
func (r *runner) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	err := r.State.Sweeps.Watch(ctx, r.key, func(u state.Update[state.Sweep]) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !u.Synced && u.Revision > r.rec.Revision {
			cancel(errLost)
		}
	})
	if err != nil && ctx.Err() == nil {
		// Renewing the lease will notice the same, only later.
		r.Log.Warn("sweep watch interrupted", zap.String("sweep", r.key), zap.Error(err))
	}
}

// steps goes through the phases from wherever the record stands.
func (r *runner) steps(ctx context.Context) error {
	if r.sweep().Phase == state.SweepRequested {
		if err := r.begin(ctx); err != nil {
			return err
		}
	}
	sw := r.sweep()
	m, err := rule.Compile(sw.Rule)
	if err != nil {
		return r.end(ctx, state.SweepFailed, fmt.Errorf("rule %s: %w", sw.Rule.Name, err))
	}
	reg, err := r.Registries.Get(sw.Rule.Registry)
	if err != nil {
		return r.end(ctx, state.SweepFailed, err)
	}
	covering := registries.Rule{Rule: sw.Rule, Matcher: m}
	for {
		var err error
		switch r.sweep().Phase {
		case state.SweepListing:
			err = r.list(ctx, reg, covering)
		case state.SweepChecking:
			err = r.checked(ctx, covering)
		case state.SweepScanning:
			err = r.drain(ctx)
		default:
			return r.tell(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// checked does what lies between listing and waiting. A sweep that does again
// what failed has not listed what there is, and cannot miss any of it.
func (r *runner) checked(ctx context.Context, rule registries.Rule) error {
	if r.sweep().FailedOnly {
		return r.again(ctx, rule)
	}
	return r.check(ctx, rule)
}

func (r *runner) end(ctx context.Context, phase state.SweepPhase, why error) error {
	err := r.save(ctx, func(sw *state.Sweep) {
		sw.Phase, sw.EndedAt, sw.Lease = phase, r.Now(), state.Lease{}
		if why != nil {
			sw.Note(why.Error())
			sw.Fail(plan.Class(why), 1)
		}
	})
	if err != nil {
		return err
	}
	return r.tell(ctx)
}

// tell announces the end of the sweep, once.
func (r *runner) tell(ctx context.Context) error {
	sw := r.sweep()
	if sw.Announced {
		return nil
	}
	if err := r.announce(ctx, ended(sw.Phase), sw); err != nil {
		return err
	}
	return r.save(ctx, func(sw *state.Sweep) { sw.Announced = true })
}

func (r *runner) next(ctx context.Context, phase state.SweepPhase) error {
	return r.save(ctx, func(sw *state.Sweep) { sw.Phase = phase })
}
