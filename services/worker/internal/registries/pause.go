package registries

import (
	"context"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Rest leaves a part of the registry alone, everywhere. How long a registry
// rests that does not say so follows from the record: whichever worker was
// refused before counts.
func (b *budget) Rest(ctx context.Context, p registry.Pause) {
	if p.First <= 0 {
		b.resting.Add(p)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	next := p
	_, err := b.wishes.Change(ctx, failpoint.RegistryBudget, b.name, func(rec *state.Pauses, _ bool) error {
		stored, said := (*rec)[string(p.Part)]
		known := registry.Pause{}
		if stored.To == b.asker {
			known = heard(string(p.Part), stored)
		}
		next = p.Following(known)
		same := said && next == known
		if same || p.First <= 0 && stored.To == b.asker && p.Until.Sub(known.Until) < p.Until.Sub(b.now())/10 {
			return state.ErrUnchanged // who is told again with each answer writes it now and then
		}
		*rec = maps.Clone(*rec)
		if *rec == nil {
			*rec = state.Pauses{}
		}
		(*rec)[string(p.Part)] = state.Pause{Until: next.Until, Why: next.Why, To: b.asker, Refusals: next.Refusals, Of: string(next.Of)}
		return nil
	})
	if err != nil {
		b.log.Warn("registry's wish to be left alone not shared", zap.String("registry", b.name), zap.Error(err))
		next = p // which then follows what is known here
	}
	b.resting.Add(next)
}

// Answered ends a row of refusals, for all who ask the registry.
func (b *budget) Answered(ctx context.Context, about registry.Part, sent time.Time) {
	if !b.resting.Answered(about, sent) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	_, err := b.wishes.Change(ctx, failpoint.RegistryBudget, b.name, func(rec *state.Pauses, _ bool) error {
		after, changed := maps.Clone(*rec), false
		for part, stored := range *rec {
			if _, ends := heard(part, stored).Over(about, sent); ends && stored.To == b.asker {
				stored.Refusals = 0
				after[part], changed = stored, true
			}
		}
		if !changed {
			return state.ErrUnchanged
		}
		*rec = after
		return nil
	})
	if err != nil {
		b.log.Warn("registry's recovery not shared", zap.String("registry", b.name), zap.Error(err))
	}
}

// hear notes what the registry has said to whichever worker.
func (b *budget) hear(all state.Pauses) {
	for part, p := range all {
		if p.To == b.asker {
			b.resting.Add(heard(part, p))
		}
	}
}

func heard(part string, p state.Pause) registry.Pause {
	return registry.Pause{Part: registry.Part(part), Until: p.Until, Why: p.Why, Refusals: p.Refusals, Of: registry.Part(p.Of)}
}
