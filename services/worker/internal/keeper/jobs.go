package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
)

// jobs wakes the jobs that lie still and forgets those that ended long ago.
func (k *Keeper) jobs(ctx context.Context) error {
	now := k.Now()
	var still, over, late []state.Record[state.Job]
	err := k.jobsPace.read(func() error {
		return k.State.Jobs.All(ctx, ">", func(r state.Record[state.Job]) error {
			switch {
			case r.Value.State.Terminal() && r.Value.Announced && now.Sub(r.Value.EndedAt) > k.JobRetention:
				over = append(over, r)
			case r.Value.State == state.JobQueued && now.After(r.Value.Deadline):
				late = append(late, r)
			case k.lost(r.Value, now):
				still = append(still, r)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, r := range over {
		if err := settled(k.State.Jobs.Delete(ctx, failpoint.KeeperJob, r)); err != nil {
			return err
		}
	}
	for _, r := range late {
		if err := settled(k.expireJob(ctx, r)); err != nil {
			return err
		}
	}
	return k.wake(ctx, still)
}

// expireJob ends a job that nobody has taken within its deadline: there may be
// no worker for its pool or operating system that could end it.
func (k *Keeper) expireJob(ctx context.Context, r state.Record[state.Job]) error {
	r.Value.Dead, r.Value.Class = true, state.FailureDeadline
	r.Value.End(state.JobFailed, "no worker finished it within its deadline: "+r.Value.Error, k.Now())
	r, err := k.State.Jobs.Put(ctx, failpoint.KeeperExpireJob, r)
	if err != nil {
		return err
	}
	return k.Announce(ctx, r)
}

// wake looks after the jobs that lie still: those that ended are announced,
// the others woken. One that cannot be keeps no other from it, unless it is the
// broker that is away.
func (k *Keeper) wake(ctx context.Context, still []state.Record[state.Job]) error {
	queues := map[string]bool{}
	var errs []error
	for _, r := range still {
		err := k.stir(ctx, queues, r)
		if errors.Is(err, bus.ErrBroker) {
			return err
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("job %s: %w", r.Key, err))
		}
	}
	return errors.Join(errs...)
}

func (k *Keeper) stir(ctx context.Context, queues map[string]bool, r state.Record[state.Job]) error {
	if r.Value.State.Terminal() {
		return k.Announce(ctx, r)
	}
	if k.busy(ctx, queues, r.Value) {
		return nil // its wake-up may just be waiting its turn
	}
	return plan.Wake(ctx, k.Bus, failpoint.KeeperWake, r.Value)
}

// lost reports whether a job should have moved by now. The longer it lies, the
// less often it is woken: a wake-up too many does no harm, but is no use.
func (k *Keeper) lost(j state.Job, now time.Time) bool {
	switch {
	case j.State.Terminal():
		return !j.Announced && k.still(j.EndedAt, now)
	case j.State == state.JobRunning:
		return k.still(j.Lease.Until, now)
	case j.NotBefore.After(j.QueuedAt):
		return k.still(j.NotBefore, now)
	default:
		return k.still(j.QueuedAt, now)
	}
}

// still reports whether it is time to look at something that has not moved
// since.
func (k *Keeper) still(since, now time.Time) bool {
	age := now.Sub(since)
	if age < k.WakeAfter {
		return false
	}
	// Once in each doubling of the age, give or take a tick or a slow look.
	for step := k.WakeAfter; step <= age; step *= 2 {
		if age-step < max(2*k.Tick, k.jobsPace.apart) {
			return true
		}
	}
	return false
}

// busy reports whether the job's lane has messages that no worker has taken
// yet. Answers are remembered for one round.
func (k *Keeper) busy(ctx context.Context, known map[string]bool, j state.Job) bool {
	d := k.Bus.Topology().ScanWakeUps(j.Lane, j.Platform.OS, j.Pool)
	if busy, asked := known[d.Name]; asked {
		return busy
	}
	known[d.Name] = false
	cons, err := k.Bus.JetStream().Consumer(ctx, k.Bus.Topology().Stream(events.Scans), d.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || err != nil {
		return false
	}
	known[d.Name] = cons.CachedInfo().NumPending > 0
	return known[d.Name]
}
