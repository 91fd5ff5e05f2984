package registry

import (
	"math/rand/v2"
	"sync"
	"time"
)

// How long a registry is left alone that refuses and does not say for how long:
// each time in a row twice as long, so that what cannot answer is not kept from
// recovering by those who wait for it.
const (
	silentRest = 5 * time.Second // at first, after a 429
	brokenRest = time.Second     // at first, after a 503, which may be over at once
	silentMost = 15 * time.Minute
	// silentRow is how long after a rest a refusal still counts as the next in
	// the row: who was not asked for longer may be quite another by now.
	silentRow = time.Hour
	// spread is the part of a rest that is left to chance, so that not all who
	// wait for it come back at once.
	spread = 0.25
)

// Following is the pause that a silent refusal leads to after the one that was
// known of its part. What was sent before that one was over belongs to it. A
// pause that is not silent is what it says.
func (p Pause) Following(known Pause) Pause {
	if p.First <= 0 {
		return p
	}
	if p.Sent.Before(known.Until) {
		return known
	}
	p.Refusals = 1
	if known.Refusals > 0 && p.Sent.Before(known.Until.Add(silentRow)) {
		p.Refusals = known.Refusals + 1
	}
	length := silentMost
	if n := p.Refusals - 1; n < 16 && p.First<<n < silentMost {
		length = p.First << n
	}
	length -= time.Duration(rand.Float64() * spread * float64(length)) //nolint:gosec // nothing depends on nobody's guessing it
	p.Until = p.Sent.Add(length)
	return p
}

// Over is the pause once something was answered; false: that says nothing of it.
func (p Pause) Over(about Part, sent time.Time) (Pause, bool) {
	if p.Refusals == 0 || p.Of != about || sent.Before(p.Until) {
		return p, false
	}
	p.Refusals = 0
	return p, true
}

// Pauses are the wishes of one registry. The zero value has none. It is safe
// for use by many goroutines.
type Pauses struct {
	mu  sync.Mutex
	all map[Part]Pause
}

// Add notes a wish, unless that part was to be left alone for longer. A silent
// one is made to follow the one that is known.
func (p *Pauses) Add(pause Pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[Part]Pause{}
	}
	known := p.all[pause.Part]
	if pause.Refusals == 0 {
		pause = pause.Following(known)
	}
	if pause.Until.After(known.Until) {
		p.all[pause.Part] = pause
	}
}

// Answered ends the rows of refusals of what was now answered, and reports
// whether there were any.
func (p *Pauses) Answered(about Part, sent time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ended := false
	for part, known := range p.all {
		if over, ends := known.Over(about, sent); ends {
			p.all[part], ended = over, true
		}
	}
	return ended
}

// Check is an *Unavailable while the part, or everything, is to be left alone.
func (p *Pauses) Check(about Part, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	longest := p.all[Everything]
	if part := p.all[about]; part.Until.After(longest.Until) {
		longest = part
	}
	if longest.Until.After(now) {
		return longest.err(now)
	}
	return nil
}
