package api

import (
	"time"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

// lastLike is the last whole sweep of the same rule, nil where there was none.
// The sweeps are newest first.
func lastLike(all []state.Sweep, s state.Sweep) *state.Sweep {
	for i := range all {
		b := &all[i]
		if s.Rule.Name != "" && b.Rule.Name == s.Rule.Name && b.Key != s.Key &&
			b.Phase == state.SweepDone && b.Whole && !b.FailedOnly {
			return b
		}
	}
	return nil
}

// left estimates how long a sweep still takes: as long for what is to be done as
// it took for what is done. How much there is to list is known when the
// catalog's last page is; until then it is as much as last time.
func left(s state.Sweep, before *state.Sweep, now time.Time) (time.Duration, bool) {
	done, of := s.Counts.Finished, s.Counts.Released
	switch s.Phase {
	case state.SweepListing:
		done, of = s.Counts.Repositories, s.Counts.Repositories+len(s.Page)+s.LeftBehind()
		if lastPage := s.Listed || s.Next == "" && len(s.Page) > 0; !lastPage {
			if before == nil {
				return 0, false
			}
			of = max(of, before.Counts.Repositories)
		}
	case state.SweepChecking, state.SweepScanning:
	default:
		return 0, false
	}
	elapsed := now.Sub(s.StartedAt)
	if of > done && done == 0 || elapsed < 0 {
		return 0, false
	}
	return elapsed * time.Duration(of-done) / time.Duration(max(done, 1)), true
}
