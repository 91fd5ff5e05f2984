package api

import (
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

func TestTimeLeft(t *testing.T) {
	begun := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	now := begun.Add(time.Minute)
	counts := func(repositories, released, finished int) events.SweepCounts {
		return events.SweepCounts{Repositories: repositories, Released: released, Finished: finished}
	}
	last := &state.Sweep{Counts: counts(40, 0, 0)}
	for name, tt := range map[string]struct {
		sweep  state.Sweep
		before *state.Sweep
		want   time.Duration
		known  bool
	}{
		"requested":                {sweep: state.Sweep{Phase: state.SweepRequested}},
		"nothing listed":           {sweep: state.Sweep{Phase: state.SweepListing, Page: []string{"a"}}},
		"more pages, first time":   {sweep: state.Sweep{Phase: state.SweepListing, Page: []string{"a"}, Next: "a", Counts: counts(10, 0, 0)}},
		"more pages, as last time": {state.Sweep{Phase: state.SweepListing, Page: []string{"a"}, Next: "a", Counts: counts(10, 0, 0)}, last, 3 * time.Minute, true},
		"more than last time":      {state.Sweep{Phase: state.SweepListing, Page: []string{"a"}, Next: "a", Counts: counts(60, 0, 0)}, last, time.Second, true},
		"last page":                {state.Sweep{Phase: state.SweepListing, Page: []string{"a", "b"}, Listed: true, Counts: counts(4, 0, 0)}, last, 30 * time.Second, true},
		"scanning":                 {state.Sweep{Phase: state.SweepScanning, Counts: counts(4, 12, 3)}, nil, 3 * time.Minute, true},
		"nothing scanned":          {sweep: state.Sweep{Phase: state.SweepScanning, Counts: counts(4, 12, 0)}},
		"nothing to scan":          {state.Sweep{Phase: state.SweepScanning, Counts: counts(4, 0, 0)}, nil, 0, true},
		"over":                     {sweep: state.Sweep{Phase: state.SweepDone, Counts: counts(4, 12, 12)}},
	} {
		tt.sweep.StartedAt = begun
		if got, known := left(tt.sweep, tt.before, now); got != tt.want || known != tt.known {
			t.Errorf("%s: got %s, %t, want %s, %t", name, got, known, tt.want, tt.known)
		}
	}
}

func TestLastSweepOfTheRule(t *testing.T) {
	of := func(key, rule string, phase state.SweepPhase, whole, failedOnly bool) state.Sweep {
		return state.Sweep{Key: key, Rule: config.Rule{Name: rule}, Phase: phase, Whole: whole, FailedOnly: failedOnly}
	}
	all := []state.Sweep{
		of("now", "a", state.SweepListing, false, false), of("other", "b", state.SweepDone, true, false),
		of("failed", "a", state.SweepFailed, true, false), of("partial", "a", state.SweepDone, false, false),
		of("again", "a", state.SweepDone, true, true), of("want", "a", state.SweepDone, true, false), of("older", "a", state.SweepDone, true, false),
		of("user's", "", state.SweepDone, true, false),
	}
	if got := lastLike(all, all[0]); got == nil || got.Key != "want" {
		t.Errorf("got %+v", got)
	}
	if got := lastLike(all, of("x", "", state.SweepListing, false, false)); got != nil {
		t.Errorf("got %+v for a sweep without a rule", got)
	}
}
