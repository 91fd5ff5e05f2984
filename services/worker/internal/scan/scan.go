// Package scan does the work of a job: it claims the job, makes the image's
// inventory from its layers', compares it with the advisory database, stores
// report and state, and only then announces them.
package scan

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
	"github.com/landwaiter/landwaiter/services/worker/internal/layers"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Scanner handles the wake-ups of jobs.
type Scanner struct {
	Bus        *bus.Bus
	State      *state.Store
	Registries *registries.Set
	Shelf      *layers.Shelf
	Databases  *assess.Databases
	Teller     assess.Teller
	Engine     string // what an inventory made now depends on besides its layers
	Worker     string // names this process in leases
	// Lease is how long a job of a worker that has gone silent stays its own.
	Lease time.Duration
	// Retry is the pause after the first failed attempt; it doubles with each.
	Retry    time.Duration
	Progress func(Progress) // of layers as they are read; nil: nobody hears of it
	Now      func() time.Time
	Log      *zap.Logger

	// alone is held for writing by a job that crashed its workers before, so
	// that it can take no other job with it.
	alone sync.RWMutex
}

// Why a running scan ends early.
var (
	errCancelled = errors.New("the scan was cancelled")
	errLost      = errors.New("another worker has the job now")
	errDeadline  = errors.New("it was not finished within its deadline")
)

// WakeUp looks at the job a message is about and does what its record says.
func (s *Scanner) WakeUp(ctx context.Context, d bus.Delivery) error {
	e, ok := d.Data().(events.ScanRequested)
	if !ok {
		return bus.DeadLetter(fmt.Errorf("%s is no wake-up", d.Kind()))
	}
	rec, err := s.State.Jobs.Get(ctx, e.Digest.Token())
	if errors.Is(err, state.ErrNotFound) {
		return nil // the job is over and forgotten
	}
	if err != nil {
		return err
	}
	now := s.Now()
	j := rec.Value
	switch {
	case j.State.Terminal():
		return s.Announce(ctx, rec)
	case e.Generation < j.Generation:
		return nil // a newer start has a wake-up of its own
	case j.Lease.Held("", now):
		return bus.Later(j.Lease.Until.Sub(now), errors.New("another worker has the job"))
	case now.Before(j.NotBefore):
		return bus.Later(j.NotBefore.Sub(now), errors.New(j.Error))
	default:
		return s.claim(ctx, rec)
	}
}

// claim takes the job and works on it, unless somebody else was faster.
func (s *Scanner) claim(ctx context.Context, rec state.Record[state.Job]) error {
	// Whoever must wait for company to leave does so before claiming: nobody
	// renews the lease of a job that only waits.
	defer s.company(rec.Value)()
	now := s.Now()
	if !rec.Value.Claim(s.Worker+"/"+uuid.NewString(), now, s.Lease) {
		return bus.Later(time.Second, errors.New("the job is not to be worked on now"))
	}
	rec, err := s.State.Jobs.Put(ctx, failpoint.ScanClaim, rec)
	if errors.Is(err, state.ErrConflict) {
		return bus.Later(0, err)
	}
	if err != nil {
		return err
	}
	if why := rec.Value.Exhausted(now); why != "" {
		rec.Value.Class = state.FailureDeadline
		if rec.Value.Attempts.Crashes >= state.MaxCrashes {
			rec.Value.Class = state.FailureCrash
		}
		return s.fail(ctx, rec.Value, why, true)
	}
	return s.work(ctx, rec.Value)
}

// company waits until the job may run beside the others of this worker: one
// that has crashed its workers runs alone.
func (s *Scanner) company(j state.Job) (leave func()) {
	crashes := j.Attempts.Crashes
	if j.State == state.JobRunning {
		crashes++ // as claiming it will count
	}
	if crashes >= state.LoneCrashes {
		s.alone.Lock()
		return s.alone.Unlock
	}
	s.alone.RLock()
	return s.alone.RUnlock
}

// work runs the scan under the job's lease and records how it ended.
func (s *Scanner) work(ctx context.Context, j state.Job) error {
	bounded, release := context.WithDeadlineCause(ctx, j.Deadline, errDeadline)
	defer release()
	running, cancel := context.WithCancelCause(bounded)
	var guards sync.WaitGroup
	guards.Go(func() { s.renew(running, j, cancel) })
	guards.Go(func() { s.watch(running, j, cancel) })
	err := s.run(running, j)
	cause := context.Cause(running)
	cancel(nil)
	guards.Wait()
	switch {
	case err == nil:
		return s.finish(ctx, j)
	case errors.Is(cause, errCancelled), errors.Is(cause, errLost):
		s.Log.Info("scan dropped", zap.String("digest", string(j.Digest)), zap.NamedError("reason", cause))
		return s.dropped(context.WithoutCancel(ctx), j)
	case errors.Is(cause, errDeadline):
		j.Class = state.FailureDeadline
		return s.fail(ctx, j, errDeadline.Error(), true)
	case ctx.Err() != nil:
		return s.release(context.WithoutCancel(ctx), j, outcome{reason: "the worker was stopped"}, err)
	default:
		return s.failed(ctx, j, err)
	}
}

// renew extends the job's lease at a third of its length, and ends the scan
// when the job is no longer ours.
func (s *Scanner) renew(ctx context.Context, j state.Job, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(s.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.change(ctx, failpoint.ScanRenew, j, func(j *state.Job) { j.Lease.Until = s.Now().Add(s.Lease) })
		switch {
		case errors.Is(err, errCancelled), errors.Is(err, errLost):
			cancel(err)
			return
		case err != nil && ctx.Err() == nil:
			s.Log.Warn("job lease not renewed", zap.String("digest", string(j.Digest)), zap.Error(err))
		}
	}
}

// watch ends the scan as soon as the record says that nobody wants it any
// more.
func (s *Scanner) watch(ctx context.Context, j state.Job, cancel context.CancelCauseFunc) {
	err := s.State.Jobs.Watch(ctx, j.Digest.Token(), func(u state.Update[state.Job]) {
		if !u.Synced && !u.Removed && u.Value.Generation != j.Generation {
			cancel(errCancelled)
		}
	})
	if err != nil && ctx.Err() == nil {
		// Renewing the lease will notice the same, only later.
		s.Log.Warn("job watch interrupted", zap.Error(err))
	}
}

// change alters the job while it is still ours, at the same generation.
func (s *Scanner) change(ctx context.Context, p failpoint.Point, mine state.Job, alter func(*state.Job)) error {
	_, err := s.State.Jobs.Change(ctx, p, mine.Digest.Token(), func(j *state.Job, exists bool) error {
		switch {
		case !exists || j.Generation != mine.Generation:
			return errCancelled
		case j.State != state.JobRunning || j.Lease.Holder != mine.Lease.Holder:
			return errLost
		}
		alter(j)
		return nil
	})
	return err
}
