package state

import "time"

// Budget is what a registry was asked for of late, by all workers together.
type Budget struct {
	// Next is when the next requests may be sent: until then all are given out.
	Next time.Time `json:"next"`
	// Rest is until when the registry is to be left alone, and Why it said so.
	Rest time.Time `json:"rest,omitzero"`
	Why  string    `json:"why,omitempty"`
	// Workers are those who ask it, and until when that counts.
	Workers map[string]time.Time `json:"workers,omitempty"`
}

// BudgetTTL is longer than any rest.
const BudgetTTL = 25 * time.Hour

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
