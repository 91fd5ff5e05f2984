package keeper

import (
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// A wish is uttered again when it was lost, and not while it waits.
func TestWishIsDue(t *testing.T) {
	t.Parallel()
	const d = events.Digest("sha256:d")
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	behind, before := at.Add(time.Second), at.Add(-time.Second)
	for _, tt := range []struct {
		name    string
		version string
		now     time.Time
		oldest  time.Time
		n       int
		due     bool
	}{
		{"just uttered", "v", at.Add(patience - 1), behind, 2, false},
		{"lost", "v", at.Add(patience), behind, 2, true},
		{"waits", "v", at.Add(patience), before, 2, false},
		{"is the next", "v", at.Add(patience), at, 2, false},
		{"waits for too long", "v", at.Add(overdue), before, 2, true},
		{"of another database", "w", at, before, 1, true},
	} {
		a := asked{version: "v", of: map[events.Digest]wish{d: {at: at, n: 1}}}
		if n, due := a.due(d, tt.version, tt.now, tt.oldest); n != tt.n || due != tt.due {
			t.Errorf("%s: wish %d is due: %t; want %d, %t", tt.name, n, due, tt.n, tt.due)
		}
	}
	var none asked
	if n, due := none.due(d, "v", at, before); n != 1 || !due {
		t.Errorf("the first wish is number %d and due: %t", n, due)
	}
}
