package keeper

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// places looks for the images that are due and lets go of those whose
// retention is over.
func (k *Keeper) places(ctx context.Context) error {
	var due, broken []state.Record[state.Place]
	now := k.Now()
	rules := promises{k.Checker.Registries, map[string]config.Duration{}}
	err := k.placesPace.read(func() error {
		return k.State.Places.All(ctx, ">", func(r state.Record[state.Place]) error {
			switch {
			case rules.broken(r.Value):
				broken = append(broken, r)
			case k.due(r.Value, now):
				due = append(due, r)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range broken {
		errs = append(errs, settled(k.retain(ctx, r.Key, rules)))
	}
	away := map[string]bool{} // registries that did not answer in this round: asked once
	for _, r := range due {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		errs = append(errs, settled(k.place(ctx, r, away)))
	}
	return errors.Join(errs...)
}

// due reports whether something is to be done about a place: an announcement
// was left over, its retention has ended, or nobody has looked for it. Sweeps
// look by themselves and get half an interval's grace.
func (k *Keeper) due(p state.Place, now time.Time) bool {
	const leftOver = 10 * time.Second
	every := time.Duration(p.CheckEvery) * 3 / 2
	if k.CheckEvery > 0 {
		every = k.CheckEvery
	}
	return p.Announce != "" && now.Sub(p.CheckedAt) > leftOver || p.Expired || ended(p, now) || now.Sub(p.CheckedAt) > every
}

func ended(p state.Place, now time.Time) bool {
	return !p.MissingSince.IsZero() && !now.Before(p.ExpiresAt())
}

func (k *Keeper) place(ctx context.Context, r state.Record[state.Place], away map[string]bool) error {
	if !r.Value.Expired {
		if err := k.Checker.Announce(ctx, r); err != nil {
			return err
		}
		// One last look before anything is let go, which also accounts for the
		// time in which we could not look ourselves.
		look := k.Checker.Check
		if away[r.Value.Registry] {
			look = k.Checker.Unreachable
		}
		p, err := look(ctx, r.Value)
		if p.Missing == state.MissingUnreachable {
			away[p.Registry] = true
		}
		if errors.Is(err, registry.ErrPaused) {
			return nil // the last look has to wait, and so has the end
		}
		if err != nil || !ended(p, k.Now()) {
			return err
		}
	}
	return k.expire(ctx, r.Key)
}

// expire marks the place, announces its end, and removes it.
func (k *Keeper) expire(ctx context.Context, key string) error {
	rec, err := k.State.Places.Change(ctx, failpoint.KeeperExpire, key, func(p *state.Place, exists bool) error {
		if !exists || p.Expired {
			return state.ErrUnchanged
		}
		if !ended(*p, k.Now()) {
			return state.ErrConflict // seen again this very moment
		}
		p.Expired, p.Announce = true, events.ImageExpired
		return nil
	})
	if err != nil || rec.Revision == 0 {
		return err
	}
	if err := k.Checker.Announce(ctx, rec); err != nil {
		return err
	}
	if rec, err = k.State.Places.Get(ctx, key); err != nil || !rec.Value.Expired {
		return err
	}
	if err := k.State.Places.Delete(ctx, failpoint.KeeperPlace, rec); err != nil {
		return err
	}
	k.Log.Info("place expired", zap.String("place", key), zap.String("reason", rec.Value.Missing))
	return nil
}
