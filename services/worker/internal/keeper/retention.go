package keeper

import (
	"context"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// promises tells how long missing images are kept by the rules as they are now:
// no sighting will bring a changed retention into their records. Answers are
// remembered for one round.
type promises struct {
	rules *registries.Set
	known map[string]config.Duration
}

// retention is the place's. A rule that is gone leaves what it promised: it may
// only have another name now, which nothing tells of an image that is missing.
func (p promises) retention(pl state.Place) config.Duration {
	key := strings.Join(pl.Rules, " ")
	kept, known := p.known[key]
	if !known {
		kept, _ = p.rules.Keep(nil, pl.Rules)
		for _, name := range pl.Rules {
			if _, there := p.rules.Rule(name); !there {
				kept = 0
			}
		}
		p.known[key] = kept
	}
	if kept == 0 {
		return pl.Retention
	}
	return kept
}

// broken reports whether the place is missing and kept for another time than
// its rules say.
func (p promises) broken(pl state.Place) bool {
	return !pl.MissingSince.IsZero() && !pl.Expired && pl.Retention != p.retention(pl)
}

// retain brings a changed retention into the record of a place that is missing,
// and tells of it.
func (k *Keeper) retain(ctx context.Context, key string, now promises) error {
	rec, err := k.State.Places.Change(ctx, failpoint.KeeperCheck, key, func(p *state.Place, exists bool) error {
		if !exists || !now.broken(*p) {
			return state.ErrUnchanged
		}
		p.Retention = now.retention(*p)
		if p.Announce == "" {
			p.Announce = events.ImageChanged
		}
		return nil
	})
	if err != nil || rec.Revision == 0 {
		return err
	}
	return k.Checker.Announce(ctx, rec)
}
