package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// outcome is what an error means for a job.
type outcome struct {
	reason  string
	counts  bool          // as an attempt that failed
	forever bool          // it will never work
	pause   time.Duration // before the next attempt
	class   state.FailureClass
}

// judge is the one place that says what a scan's error means. Waiting for a
// registry never counts, nor for somebody who mends its configuration or
// confirms its credential, nor does what the broker did not do: none of it says
// anything about the image.
func judge(err error, j state.Job, now time.Time, retry time.Duration) outcome {
	var unavailable *registry.Unavailable
	o := outcome{reason: err.Error(), class: classOf(err)}
	switch {
	case errors.As(err, &unavailable):
		o.pause = max(unavailable.RetryAfter, patience(now.Sub(j.QueuedAt)))
	case errors.Is(err, bus.ErrBroker), errors.Is(err, registries.ErrUnusable):
		o.pause = patience(now.Sub(j.QueuedAt))
	case permanent(err):
		o.forever = true
	default:
		o.counts = true
		o.pause = retry << min(j.Attempts.Errors, 6)
	}
	return o
}

// patience grows with the time already waited: from two seconds to five
// minutes.
func patience(waited time.Duration) time.Duration {
	return min(max(waited/2, 2*time.Second), 5*time.Minute)
}

func permanent(err error) bool {
	for _, never := range []error{
		layer.ErrCorrupt, layer.ErrNotLayer, layer.ErrTooLarge,
		registry.ErrInvalid, registry.ErrTooLarge, registry.ErrUnsupported, plan.ErrNotImage, registries.ErrUnknown,
	} {
		if errors.Is(err, never) {
			return true
		}
	}
	return false
}

// classOf says what kind of failure a scan's error is.
func classOf(err error) state.FailureClass {
	switch {
	case errors.Is(err, layer.ErrCorrupt), errors.Is(err, layer.ErrNotLayer):
		return state.FailureInvalid
	case errors.Is(err, layer.ErrTooLarge):
		return state.FailureTooLarge
	default:
		return plan.Class(err)
	}
}

// failed records an attempt that ended with an error.
func (s *Scanner) failed(ctx context.Context, j state.Job, err error) error {
	o := judge(err, j, s.Now(), s.Retry)
	s.Log.Info("scan attempt failed", zap.String("digest", string(j.Digest)), zap.Bool("forever", o.forever),
		zap.Bool("counts", o.counts), zap.Duration("pause", o.pause), zap.Error(err))
	if o.counts {
		j.Attempts.Errors++
	}
	j.Class = o.class
	if o.forever {
		return s.fail(ctx, j, o.reason, false)
	}
	if why := j.Exhausted(s.Now()); why != "" {
		return s.fail(ctx, j, why+": "+o.reason, true)
	}
	return s.release(ctx, j, o, err)
}

// release gives the job back to be tried again.
func (s *Scanner) release(ctx context.Context, j state.Job, o outcome, cause error) error {
	const limit = 3 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := s.change(ctx, failpoint.ScanRelease, j, func(rec *state.Job) {
		rec.Attempts, rec.Class = j.Attempts, j.Class
		rec.Release(s.Now(), o.pause, o.reason)
	})
	if errors.Is(err, errCancelled) || errors.Is(err, errLost) {
		return nil
	}
	if err != nil {
		return err
	}
	return bus.Later(o.pause, cause)
}

// fail ends the job: first the image says so, then the job, then the world is
// told. A job that was tried too often also becomes a dead letter.
func (s *Scanner) fail(ctx context.Context, j state.Job, why string, dead bool) error {
	if ours, err := s.ours(ctx, j); err != nil || !ours {
		return err
	}
	_, err := s.State.Images.Change(ctx, failpoint.ScanImage, j.Digest.Token(), func(img *state.Image, exists bool) error {
		if !exists || img.Generation > j.Generation {
			return state.ErrUnchanged
		}
		img.Status, img.Error, img.Generation = verdict.Failed, why, j.Generation
		return nil
	})
	if err != nil {
		return err
	}
	return s.end(ctx, j, func(rec *state.Job) {
		rec.Attempts, rec.Class = j.Attempts, j.Class
		rec.Dead = dead
		rec.End(state.JobFailed, why, s.Now())
	})
}

// ours reports whether the job is still held as it was claimed. A worker that
// was paused past its lease must not call failed what another has done since.
func (s *Scanner) ours(ctx context.Context, mine state.Job) (bool, error) {
	rec, err := s.State.Jobs.Get(ctx, mine.Digest.Token())
	if errors.Is(err, state.ErrNotFound) {
		return false, nil
	}
	j := rec.Value
	return j.State == state.JobRunning && j.Generation == mine.Generation && j.Lease.Holder == mine.Lease.Holder, err
}

// dropped sees to it that the end of a scan that was cancelled under our hands
// is told at once.
func (s *Scanner) dropped(ctx context.Context, mine state.Job) error {
	rec, err := s.State.Jobs.Get(ctx, mine.Digest.Token())
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Announce(ctx, rec)
}

// errOlder is why a job goes on that was done: somebody asked meanwhile for its
// layers to be read again.
var errOlder = errors.New("its layers are to be read again")

// finish ends a job whose report is stored.
func (s *Scanner) finish(ctx context.Context, j state.Job) error {
	older := false
	err := s.end(ctx, j, func(rec *state.Job) {
		if older = rec.Refetch().After(j.Refetch()); older {
			rec.Release(s.Now(), 0, errOlder.Error())
			return
		}
		rec.End(state.JobDone, "", s.Now())
	})
	if err == nil && older {
		return bus.Later(0, errOlder)
	}
	return err
}

func (s *Scanner) end(ctx context.Context, j state.Job, alter func(*state.Job)) error {
	err := s.change(ctx, failpoint.ScanFinish, j, alter)
	if errors.Is(err, errCancelled) || errors.Is(err, errLost) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end job %s: %w", j.Digest, err)
	}
	rec, err := s.State.Jobs.Get(ctx, j.Digest.Token())
	if err != nil {
		return err
	}
	return s.Announce(ctx, rec)
}
