package keeper

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// sweeps wakes the sweeps that lie still and forgets those that ended long
// ago.
func (k *Keeper) sweeps(ctx context.Context) error {
	now := k.Now()
	var still, over []state.Record[state.Sweep]
	err := k.State.Sweeps.All(ctx, ">", func(r state.Record[state.Sweep]) error {
		sw := r.Value
		switch {
		case sw.Phase.Terminal() && sw.Announced && now.Sub(sw.EndedAt) > k.JobRetention:
			over = append(over, r)
		case sw.Phase.Terminal() && !sw.Announced && k.still(sw.EndedAt, now),
			!sw.Phase.Terminal() && now.After(sw.Lease.Until) && k.still(later(sw.Lease.Until, later(sw.RequestedAt, sw.StartedAt)), now):
			still = append(still, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range over {
		if err := k.forgetMissed(ctx, r.Key); err != nil {
			return err
		}
		if err := settled(k.State.Sweeps.Delete(ctx, failpoint.KeeperSweep, r)); err != nil {
			return err
		}
	}
	for _, r := range still {
		if err := k.wakeSweep(ctx, r.Value); err != nil {
			return err
		}
	}
	return nil
}

// forgetMissed forgets what a sweep could not read.
func (k *Keeper) forgetMissed(ctx context.Context, key string) error {
	var pages []state.Record[state.MissedPage]
	err := k.State.Misses.All(ctx, state.MissedOfSweep(key), func(r state.Record[state.MissedPage]) error {
		pages = append(pages, r)
		return nil
	})
	for _, r := range pages {
		err = errors.Join(err, settled(k.State.Misses.Delete(ctx, failpoint.KeeperSweep, r)))
	}
	return err
}

func (k *Keeper) wakeSweep(ctx context.Context, sw state.Sweep) error {
	e, err := events.New(events.SweepRequested{Sweep: sw.Key, Rule: sw.Rule.Name, DueAt: sw.DueAt},
		events.Meta{ID: "wake/" + uuid.NewString(), Source: "worker", Time: k.Now()})
	if err != nil {
		return err
	}
	return k.Bus.Publish(ctx, failpoint.KeeperWake, e)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// requests forgets what users asked for long ago.
func (k *Keeper) requests(ctx context.Context) error {
	now := k.Now()
	var over []state.Record[state.Request]
	err := k.State.Requests.All(ctx, ">", func(r state.Record[state.Request]) error {
		if now.Sub(r.Value.CreatedAt) > k.JobRetention {
			over = append(over, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range over {
		if err := settled(k.State.Requests.Delete(ctx, failpoint.KeeperRequest, r)); err != nil {
			return err
		}
	}
	return nil
}
