package registry

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// refusedAfter is the pause after one more refusal of what was asked for when the
// last one was over.
func refusedAfter(known Pause, first, idle time.Duration) Pause {
	return Pause{First: first, Of: Pulls, Sent: known.Until.Add(idle), Why: "status 429"}.Following(known)
}

// Each silent refusal in a row makes the rest longer, up to a bound; chance
// takes a part of it, never so much that it is shorter than the one before.
func TestSilentRefusalsRestLongerEachTime(t *testing.T) {
	for _, first := range []time.Duration{silentRest, brokenRest} {
		known := Pause{Until: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		lengths := map[time.Duration]bool{}
		last := time.Duration(0)
		for n := 1; n <= 40; n++ {
			next := refusedAfter(known, first, time.Second)
			length := next.Until.Sub(next.Sent)
			full := silentMost
			if n < 20 {
				full = min(first<<(n-1), silentMost)
			}
			if next.Refusals != n || length > full || length < full-full/4 || full < silentMost && length <= last {
				t.Fatalf("refusal %d (counted as %d) rests %s after %s, want at most %s", n, next.Refusals, length, last, full)
			}
			known, last, lengths[length] = next, length, true
		}
		if len(lengths) < 30 {
			t.Errorf("40 rests have %d lengths: nothing is left to chance", len(lengths))
		}
	}
}

// What was sent before a rest began is part of the refusal that led to it, and
// one that comes much later begins anew.
func TestWhatIsARow(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first := refusedAfter(Pause{Until: begun}, silentRest, 0)
	if same := refusedAfter(first, silentRest, -time.Millisecond); same != first {
		t.Errorf("a request of the same burst made it %+v", same)
	}
	if next := refusedAfter(first, silentRest, silentRow-time.Second); next.Refusals != 2 {
		t.Errorf("within the hour it counts as %d, want 2", next.Refusals)
	}
	if next := refusedAfter(first, silentRest, silentRow); next.Refusals != 1 {
		t.Errorf("an hour later it counts as %d, want 1", next.Refusals)
	}
	told := Pause{Until: begun.Add(time.Minute), Why: "status 429"}
	if got := told.Following(first); got != told {
		t.Errorf("a refusal that says for how long became %+v", got)
	}
}

// Only an answer to what was refused, and that was sent after the rest, ends
// the row.
func TestWhatEndsARow(t *testing.T) {
	var p Pauses
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p.Add(Pause{First: silentRest, Of: Pulls, Sent: begun, Why: "status 429"})
	p.Add(Pause{First: silentRest, Of: Pulls, Sent: begun.Add(silentRest), Why: "status 429"})
	until := p.all[Everything].Until
	err := p.Check(Everything, until.Add(-time.Millisecond))
	if !errors.Is(err, ErrPaused) || !strings.Contains(err.Error(), "the 2. time in a row") {
		t.Errorf("got %v, want a pause that tells of the row", err)
	}
	for _, tt := range []struct {
		about Part
		sent  time.Time
		ends  bool
	}{
		{Pulls, until.Add(-time.Millisecond), false},
		{Everything, until, false},
		{Pulls, until, true},
		{Pulls, until, false}, // it has ended
	} {
		if got := p.Answered(tt.about, tt.sent); got != tt.ends {
			t.Errorf("%q, sent %s after the rest: ended %t, want %t", tt.about, tt.sent.Sub(until), got, tt.ends)
		}
	}
	p.Add(Pause{First: silentRest, Of: Pulls, Sent: until, Why: "status 429"})
	if n := p.all[Everything].Refusals; n != 1 {
		t.Errorf("after an answer a refusal counts as %d, want 1", n)
	}
}
