package state

import (
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Held reports whether a registry's credential is kept back: it came by the
// API, and nobody who may has said that the credential may go where it would.
// What is confirmed is a destination: a registry that leads elsewhere by now
// is held, however it came to that.
func Held(r Managed[config.Registry]) bool {
	to := r.Value.Destination()
	return to != "" && r.ManagedBy != ManagedByFile && r.Confirmed != to
}

// Budget is what a registry was asked for of late, by all workers together.
type Budget struct {
	// Next is when the next requests may be sent: until then all are given out.
	Next time.Time `json:"next"`
	// Workers are those who ask it, and until when that counts.
	Workers map[string]time.Time `json:"workers,omitempty"`
}

// BudgetTTL is longer than any budget's lease.
const BudgetTTL = 25 * time.Hour

// Pauses are a registry's wishes to be left alone, by what of it: see
// registry.Part. It has been said to one worker and holds for all.
type Pauses map[string]Pause

// Pause is until when, why, and to whom it was said: one that was said to
// another address or credential holds no more.
type Pause struct {
	Until time.Time `json:"until"`
	Why   string    `json:"why"`
	To    string    `json:"to,omitempty"`

	// Refusals is how often in a row it was said without a time to wait, and Of
	// of what: each makes the next pause longer, until the same is answered.
	Refusals int    `json:"refusals,omitempty"`
	Of       string `json:"of,omitempty"`
}

// Longest is the pause of whatever is left alone longest; false: of nothing,
// now.
func (p Pauses) Longest(now time.Time) (Pause, bool) {
	longest := Pause{Until: now}
	for _, pause := range p {
		if pause.Until.After(longest.Until) {
			longest = pause
		}
	}
	return longest, longest.Until.After(now)
}

// PauseTTL is longer than any pause.
const PauseTTL = 25 * time.Hour

// Trial is a test of a registry's configuration that somebody asked for, and
// what came of it.
type Trial struct {
	ID         string      `json:"id"`
	Registry   string      `json:"registry"`
	Repository string      `json:"repository,omitempty"` // to try; blank: one that is found
	AskedAt    time.Time   `json:"askedAt"`
	Worker     string      `json:"worker,omitempty"` // who took it; blank: nobody yet
	Steps      []TrialStep `json:"steps,omitempty"`
	EndedAt    time.Time   `json:"endedAt,omitzero"`
}

// TrialStep is one step of a trial.
type TrialStep struct {
	Step   string        `json:"step"`
	OK     bool          `json:"ok"`
	Took   time.Duration `json:"took"`
	Error  string        `json:"error,omitempty"`
	Detail string        `json:"detail,omitempty"` // what was found
}

// TrialTTL is how long a trial is remembered.
const TrialTTL = 10 * time.Minute
