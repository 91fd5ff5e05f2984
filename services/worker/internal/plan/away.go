package plan

import (
	"errors"
	"sync"
	"time"
)

// errAway is why a fact waits without its registry having been asked again.
var errAway = errors.New("its registry did not answer a moment ago")

// away remembers which registries did not answer a moment ago: the facts of one
// that is down wait without taking time from the facts of all the others.
type away struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// leave says that a registry is not to be asked until a moment.
func (a *away) leave(registry string, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.until == nil {
		a.until = map[string]time.Time{}
	}
	a.until[registry] = until
}

// back says that a registry has answered.
func (a *away) back(registry string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.until, registry)
}

// wait is how long a registry is still to be left alone. Whoever is told zero
// asks it, and the next ones wait for what comes of that.
func (a *away) wait(registry string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	until, known := a.until[registry]
	switch {
	case !known:
		return 0
	case now.Before(until):
		return until.Sub(now)
	default:
		a.until[registry] = now.Add(pauseFirst)
		return 0
	}
}
