package sweep

import (
	"slices"
	"sync"
	"time"
)

const (
	// mostOfRegistry is how many sweeps of one registry have their turn at a
	// time: one that answers slowly must leave turns to the others.
	mostOfRegistry = 2
	// lineLook is how long who has to wait for the registry's others is left
	// alone.
	lineLook = 300 * time.Millisecond
	// lineKeeps is how long the place in line is kept for who does not come.
	lineKeeps = 5 * time.Second
)

// lines are the sweeps that wait for others of their registry, first come,
// first served.
type lines struct {
	mu      sync.Mutex
	busy    map[string]int // by registry
	waiting map[string][]comer
}

type comer struct {
	key  string // of the sweep
	seen time.Time
}

// enter begins a turn, which ends with leave, unless it is for others to begin
// theirs first.
func (l *lines) enter(registry, key string, now time.Time) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy == nil {
		l.busy, l.waiting = map[string]int{}, map[string][]comer{}
	}
	line := slices.DeleteFunc(l.waiting[registry], func(c comer) bool { return now.Sub(c.seen) > lineKeeps })
	at := slices.IndexFunc(line, func(c comer) bool { return c.key == key })
	if at < 0 {
		at = len(line)
		line = append(line, comer{key: key})
	}
	if l.busy[registry]+at >= mostOfRegistry {
		line[at].seen = now
		l.waiting[registry] = line
		return nil, false
	}
	l.waiting[registry] = slices.Delete(line, at, at+1)
	l.busy[registry]++
	return sync.OnceFunc(func() { l.leave(registry) }), true
}

func (l *lines) leave(registry string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy[registry]--
}
