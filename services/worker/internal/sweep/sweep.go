// Package sweep runs a rule over its registry's catalog: it lists
// repositories and tags page by page, chooses the newest images, releases
// scans within the rule's window, and asks for the images that the listing
// lacked. Its record is a cursor: whoever finds it goes on where it stopped.
package sweep

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
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/places"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Sweeper handles due sweeps.
type Sweeper struct {
	Bus        *bus.Bus
	State      *state.Store
	Registries *registries.Set
	Planner    *plan.Planner
	Checker    *places.Checker
	Worker     string
	// Lease is how long the sweep of a worker that has gone silent stays its
	// own. A turn takes half of it, while there is work to do: then it is the
	// turn of the next sweep that waits for a slot.
	Lease time.Duration
	Now   func() time.Time
	Log   *zap.Logger

	halted halts
	lines  lines
}

// errLost ends a sweep that another worker has taken over, or somebody
// cancelled.
var errLost = errors.New("the sweep is not ours any more")

// Due handles a due sweep. Its record is created if absent: two messages of
// one due time make one sweep, however far apart they come.
func (s *Sweeper) Due(ctx context.Context, d bus.Delivery) error {
	e, ok := d.Data().(events.SweepRequested)
	if !ok {
		return bus.DeadLetter(fmt.Errorf("%s is no due sweep", d.Kind()))
	}
	rec, err := s.record(ctx, e)
	if err != nil || rec.Revision == 0 {
		return err
	}
	if rec.Value.Phase.Terminal() {
		return s.over(ctx, rec)
	}
	if rec.Value.Lease.Held("", s.Now()) {
		return bus.Later(rec.Value.Lease.Until.Sub(s.Now()), errors.New("another worker runs the sweep"))
	}
	stuck, err := s.stuck(ctx, rec.Value)
	if err != nil {
		return err
	}
	if stuck {
		return bus.Later(pause(d.Delivered), errWaiting)
	}
	leave, mine := s.lines.enter(rec.Value.Rule.Registry, rec.Key, s.Now())
	if !mine {
		return bus.Later(lineLook, errLine)
	}
	defer leave()
	return s.run(ctx, rec)
}

// over tells of the end of a sweep. What one that was cancelled still had asked
// for is taken back once more: a turn may have asked for it at that moment.
func (s *Sweeper) over(ctx context.Context, rec state.Record[state.Sweep]) error {
	if sw := rec.Value; sw.Phase == state.SweepCancelled {
		if err := s.Planner.Withdraw(ctx, sw.Requester(), sw.Outstanding); err != nil {
			return err
		}
	}
	r := &runner{Sweeper: s, key: rec.Key, rec: rec}
	return lostIsFine(r.tell(ctx))
}

// record returns the sweep's record, made if there is none. A rule that was
// removed since gives none.
func (s *Sweeper) record(ctx context.Context, e events.SweepRequested) (state.Record[state.Sweep], error) {
	rec, err := s.State.Sweeps.Get(ctx, e.Sweep)
	if !errors.Is(err, state.ErrNotFound) {
		return rec, err
	}
	rule, known := s.Registries.Rule(e.Rule)
	if !known { // also where a user's sweep was forgotten meanwhile
		s.Log.Info("due rule is gone", zap.String("rule", e.Rule))
		return state.Record[state.Sweep]{}, nil
	}
	rec, err = s.State.Sweeps.Create(ctx, failpoint.SweepCreate, e.Sweep, state.Sweep{
		Key: e.Sweep, Rule: rule.Rule, DueAt: e.DueAt, Phase: state.SweepRequested, RequestedAt: s.Now(),
	})
	if errors.Is(err, state.ErrConflict) {
		return s.State.Sweeps.Get(ctx, e.Sweep)
	}
	return rec, err
}

// run takes the sweep's lease and does its steps: to the end, or until there
// is nothing to do but wait, and then gives the lease back.
func (s *Sweeper) run(ctx context.Context, rec state.Record[state.Sweep]) error {
	holder := s.Worker + "/" + uuid.NewString()
	r := &runner{Sweeper: s, key: rec.Key, rec: rec, ends: s.Now().Add(s.Lease / 2)}
	err := r.save(ctx, func(sw *state.Sweep) { sw.Lease = state.Lease{Holder: holder, Until: s.Now().Add(s.Lease)} })
	if errors.Is(err, errLost) {
		return bus.Later(time.Second, err)
	}
	if err != nil {
		return err
	}
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var guards sync.WaitGroup
	guards.Go(func() { r.renew(work, cancel) })
	guards.Go(func() { r.watch(work, cancel) })
	err = r.steps(work)
	cause := context.Cause(work)
	cancel(nil)
	guards.Wait()
	switch {
	case errors.Is(cause, errLost), errors.Is(err, errLost):
		return bus.Later(0, errLost) // to see what became of it
	case (errors.Is(err, errWaiting) || errors.Is(err, errTurn)) && ctx.Err() == nil:
		return r.yield(ctx)
	case errors.Is(err, registry.ErrPaused) && ctx.Err() == nil: // it waits for the registry, and keeps nobody from a slot
		return errors.Join(lostIsFine(r.giveBack(ctx)), plan.Verdict(err, 0))
	case ctx.Err() != nil:
		return errors.Join(err, r.giveBack(context.WithoutCancel(ctx)))
	default:
		return err
	}
}

// yield ends a turn: the sweep goes behind all that wait for theirs. A message
// that is given back would come before them.
func (r *runner) yield(ctx context.Context) error {
	if err := lostIsFine(r.giveBack(ctx)); err != nil {
		return err
	}
	sw := r.sweep()
	e, err := events.New(events.SweepRequested{Sweep: sw.Key, Rule: sw.Rule.Name, DueAt: sw.DueAt},
		events.Meta{ID: "turn/" + uuid.NewString(), Source: "worker", Time: r.Now()})
	if err != nil {
		return err
	}
	return r.Bus.Publish(ctx, failpoint.SweepWake, e)
}

func (r *runner) giveBack(ctx context.Context) error {
	return r.save(ctx, func(sw *state.Sweep) { sw.Lease = state.Lease{} })
}

// lostIsFine is for whoever only repeats an announcement: somebody else did.
func lostIsFine(err error) error {
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}

// ended is the event that tells of a sweep's end.
func ended(phase state.SweepPhase) events.Kind {
	switch phase {
	case state.SweepFailed:
		return events.SweepFailed
	case state.SweepCancelled:
		return events.SweepCancelled
	default:
		return events.SweepCompleted
	}
}

func (s *Sweeper) announce(ctx context.Context, kind events.Kind, sw state.Sweep) error {
	data := events.SweepEvent{
		Kind: kind, Sweep: sw.Key, Rule: sw.Rule.Name, Registry: sw.Rule.Registry,
		Counts: sw.Counts, Partial: sw.Partial, At: s.Now(),
	}
	if len(sw.Errors) > 0 {
		data.Error = sw.Errors[0]
	}
	e, err := events.New(data, events.Meta{
		ID: sw.Requester() + "/" + string(kind), Source: "worker/" + sw.Rule.Registry, Time: data.At,
	})
	if err != nil {
		return err
	}
	return s.Bus.Publish(ctx, failpoint.SweepAnnounce, e)
}
