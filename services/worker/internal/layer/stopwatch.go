package layer

import "time"

// stopwatch measures how long a layer is looked into. It stands still while
// others are waited for: how fast a registry is says nothing about a layer.
type stopwatch struct {
	limit, spent time.Duration
	since        time.Time
}

func newStopwatch(limit time.Duration) *stopwatch { return &stopwatch{limit: limit, since: time.Now()} }

func (w *stopwatch) stop()  { w.spent += time.Since(w.since) }
func (w *stopwatch) start() { w.since = time.Now() }
func (w *stopwatch) over() bool {
	return w.spent+time.Since(w.since) >= w.limit
}
