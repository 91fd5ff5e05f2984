package sweep

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/rule"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// runner is one worker's turn at a sweep.
type runner struct {
	*Sweeper

	key    string        // of the record
	waited time.Duration // for scans
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

// steps goes through the phases from wherever the record stands.
func (r *runner) steps(ctx context.Context) error {
	sw := r.sweep()
	if untouched(sw) {
		if err := r.announce(ctx, events.SweepStarted, sw); err != nil {
			return err
		}
	}
	m, err := rule.Compile(sw.Rule)
	if err != nil {
		return r.end(ctx, state.SweepFailed, "rule "+sw.Rule.Name+": "+err.Error())
	}
	reg, err := r.Registries.Get(sw.Rule.Registry)
	if err != nil {
		return r.end(ctx, state.SweepFailed, err.Error())
	}
	covering := registries.Rule{Rule: sw.Rule, Matcher: m}
	for {
		var err error
		switch r.sweep().Phase {
		case state.SweepListing:
			err = r.list(ctx, reg, covering)
		case state.SweepChecking:
			err = r.check(ctx, covering)
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

// untouched reports whether no turn has done a step yet. Whoever did the first
// has announced the sweep before it.
func untouched(sw state.Sweep) bool {
	return sw.Phase == state.SweepListing && !sw.Listed && sw.Next == "" && sw.Cursor == ""
}

func (r *runner) end(ctx context.Context, phase state.SweepPhase, why string) error {
	err := r.save(ctx, func(sw *state.Sweep) {
		sw.Phase, sw.EndedAt, sw.Lease = phase, r.Now(), state.Lease{}
		if why != "" {
			sw.Note(why)
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
