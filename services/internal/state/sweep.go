package state

import (
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// SweepPhase is where a sweep stands.
type SweepPhase string

// The phases. The last three are terminal.
const (
	SweepListing   SweepPhase = "listing"  // walking the catalog, releasing scans
	SweepChecking  SweepPhase = "checking" // asking for images the listing lacked
	SweepScanning  SweepPhase = "scanning" // waiting for released scans
	SweepDone      SweepPhase = "done"
	SweepFailed    SweepPhase = "failed"
	SweepCancelled SweepPhase = "cancelled"
)

// Terminal reports whether the sweep is over.
func (p SweepPhase) Terminal() bool {
	return p == SweepDone || p == SweepFailed || p == SweepCancelled
}

// Sweep is one run of a rule over a catalog, with the cursor that lets it go
// on wherever it was interrupted.
type Sweep struct {
	Key   string      `json:"key"`
	Rule  config.Rule `json:"rule"` // as it was when the sweep began
	DueAt time.Time   `json:"dueAt"`
	Phase SweepPhase  `json:"phase"`
	// Cursor is the last repository that is done with, in catalog order, and
	// Page the rest of the page that follows.
	Cursor string   `json:"cursor,omitempty"`
	Page   []string `json:"page,omitempty"`
	Next   string   `json:"next,omitempty"` // catalog position after Page
	Listed bool     `json:"listed,omitempty"`
	// Outstanding are the scans released and not ended: never more than the
	// rule's scanners.
	Outstanding []events.Digest    `json:"outstanding,omitempty"`
	Counts      events.SweepCounts `json:"counts"`
	Partial     bool               `json:"partial,omitempty"`
	Errors      []string           `json:"errors,omitempty"` // the first few
	StartedAt   time.Time          `json:"startedAt"`
	EndedAt     time.Time          `json:"endedAt,omitzero"`
	Lease       Lease              `json:"lease,omitzero"`
	Announced   bool               `json:"announced,omitempty"`
}

// Note keeps the sweep's first few errors.
func (s *Sweep) Note(err string) {
	const most = 10
	s.Partial = true
	if len(s.Errors) < most {
		s.Errors = append(s.Errors, err)
	}
}
