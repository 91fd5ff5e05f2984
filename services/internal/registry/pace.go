package registry

import (
	"fmt"
	"time"
)

// pace is how slowly a blob may come. A registry that gives a byte now and
// then is alive, but would hold a slot, and the scan that waits for it, for as
// long as it likes.
type pace struct {
	least  int64 // bytes
	window time.Duration
}

// slowest is 3.5 kB a second: no scan is worth waiting for less, and the
// window is long enough for a registry that stops to fetch the blob itself.
func slowest() pace { return pace{least: 1 << 20, window: 5 * time.Minute} }

// meter measures a blob's pace in one window after the other. Only time spent
// waiting counts: the reader may take its own.
type meter struct {
	pace
	bytes  int64
	waited time.Duration
}

// add notes what came in how long, and reports whether a window has ended with
// less than the least.
func (m *meter) add(n int, took time.Duration) (slow bool) {
	m.bytes += int64(n)
	m.waited += took
	if m.waited < m.window {
		return false
	}
	slow = m.bytes < m.least
	m.bytes, m.waited = 0, 0
	return slow
}

// tooSlow is the error of a blob that comes slower than the pace.
func (m *meter) tooSlow() error {
	return &Unavailable{Reason: fmt.Sprintf("less than %d bytes within %s", m.least, m.window)}
}
