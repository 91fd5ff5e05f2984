package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// selection is the part of a rule that says what its sweeps list. Where it
// changes, a sweep meets images that are new to us and were there all along.
func selection(r config.Rule) config.Rule {
	return config.Rule{
		Name: r.Name, Registry: r.Registry,
		Repositories: r.Repositories, ExcludeRepositories: r.ExcludeRepositories, Tags: r.Tags, ExcludeTags: r.ExcludeTags,
		Platforms: r.Platforms, Cap: r.Cap, PushedWithin: r.PushedWithin,
	}
}

// baseline reports whether no sweep has listed yet what the rule selects.
func (s *Sweeper) baseline(ctx context.Context, r config.Rule) (bool, error) {
	rec, err := s.State.Listings.Get(ctx, r.Name)
	if errors.Is(err, state.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	same, err := equal(rec.Value.Rule, selection(r))
	return !same, err
}

// equal compares rules as they are stored.
func equal(a, b config.Rule) (bool, error) {
	left, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	right, err := json.Marshal(b)
	return bytes.Equal(left, right), err
}

// listed remembers the first whole listing, and forgets those of rules that
// are gone: a rule that is made again begins anew. A repository that could not
// be read does not make a listing less than whole, or a registry with one that
// never can would stay at its baseline.
func (r *runner) listed(ctx context.Context, sw state.Sweep) error {
	if !sw.Baseline || !sw.Whole {
		return nil
	}
	_, err := r.State.Listings.Change(ctx, failpoint.SweepListed, sw.Rule.Name, func(l *state.Listing, exists bool) error {
		same, err := equal(l.Rule, selection(sw.Rule))
		if err == nil && exists && same {
			return state.ErrUnchanged
		}
		*l = state.Listing{Rule: selection(sw.Rule), At: r.Now()}
		return err
	})
	if err != nil {
		return err
	}
	var gone []state.Record[state.Listing]
	err = r.State.Listings.All(ctx, ">", func(rec state.Record[state.Listing]) error {
		if _, known := r.Registries.Rule(state.RuleOfListing(rec.Key)); !known {
			gone = append(gone, rec)
		}
		return nil
	})
	for _, rec := range gone {
		if err == nil {
			err = r.State.Listings.Delete(ctx, failpoint.SweepListed, rec)
		}
		if errors.Is(err, state.ErrConflict) {
			err = nil // another sweep was quicker
		}
	}
	return err
}

// origin is what the sweep's finds are recorded as.
func origin(sw state.Sweep) state.Origin {
	switch {
	case sw.Baseline:
		return state.OriginBaseline
	case sw.Rule.Name == "":
		return state.OriginRequest
	}
	return state.OriginSweep
}
