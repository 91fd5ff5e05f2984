package state

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// SweepPhase is where a sweep stands.
type SweepPhase string

// The phases. The last three are terminal.
const (
	SweepRequested SweepPhase = "requested" // nobody has begun it yet
	SweepListing   SweepPhase = "listing"   // walking the catalog, releasing scans
	SweepChecking  SweepPhase = "checking"  // asking for images the listing lacked
	SweepScanning  SweepPhase = "scanning"  // waiting for released scans
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
	Key string `json:"key"`
	// Rule is as it was when the sweep began. One without a name is made of the
	// filters that a user gave.
	Rule  config.Rule `json:"rule"`
	Force bool        `json:"force,omitempty"` // scan again what is known, whatever the rule says
	DueAt time.Time   `json:"dueAt"`
	Phase SweepPhase  `json:"phase"`
	// Order is what a user asked for; nil: the rule's schedule did.
	Order *config.Sweep `json:"order,omitempty"`
	// Generation counts how often the sweep was started again, Restart names
	// the request that did so last, and FailedOnly says that it asked for
	// nothing but what had failed.
	Generation uint64 `json:"generation,omitempty"`
	Restart    string `json:"restart,omitempty"`
	FailedOnly bool   `json:"failedOnly,omitempty"`
	// Cursor is the last repository that is done with, in catalog order, and
	// Page the rest of the page that follows.
	Cursor string   `json:"cursor,omitempty"`
	Page   []string `json:"page,omitempty"`
	Next   string   `json:"next,omitempty"` // catalog position after Page
	Listed bool     `json:"listed,omitempty"`
	// Whole says that the catalog was read to its end; Baseline that nobody did
	// so before for what the rule selects.
	Whole    bool `json:"whole,omitempty"`
	Baseline bool `json:"baseline,omitempty"`
	// Outstanding are the scans released and not ended: never more than the
	// rule's scanners.
	Outstanding []events.Digest    `json:"outstanding,omitempty"`
	Counts      events.SweepCounts `json:"counts"`
	Partial     bool               `json:"partial,omitempty"`
	Errors      []string           `json:"errors,omitempty"` // the first few
	// Failures counts by class what could not be listed, planned or scanned.
	Failures map[FailureClass]int `json:"failures,omitempty"`
	// Missed are repositories that were not read to their end, the first few.
	Missed      []string  `json:"missed,omitempty"`
	RequestedAt time.Time `json:"requestedAt,omitzero"` // when it could be begun
	StartedAt   time.Time `json:"startedAt"`
	EndedAt     time.Time `json:"endedAt,omitzero"`
	Lease       Lease     `json:"lease,omitzero"`
	Announced   bool      `json:"announced,omitempty"`
	// Deleted marks what is left of a sweep that a user deleted: enough to keep
	// a late message from making it again.
	Deleted bool `json:"deleted,omitempty"`
}

// Requester is the sweep's name among those who want a scan: the same in every
// turn, so that a scan it has asked for is not asked for again, and another
// one each time it is started again.
func (s *Sweep) Requester() string { return s.requester(s.Generation) }

// RequesterBefore is the name it had before it was started again.
func (s *Sweep) RequesterBefore() string { return s.requester(max(s.Generation, 1) - 1) }

func (s *Sweep) requester(generation uint64) string {
	if generation == 0 {
		return "sweep/" + s.Key
	}
	return "sweep/" + s.Key + "/" + strconv.FormatUint(generation, 10)
}

// Asked reports whether a requester is the sweep, in whatever generation.
func (s *Sweep) Asked(requester string) bool {
	rest, found := strings.CutPrefix(requester, "sweep/"+s.Key)
	return found && (rest == "" || strings.HasPrefix(rest, "/"))
}

// Cancel ends the sweep. Outstanding still names what is to be taken back.
func (s *Sweep) Cancel(now time.Time) {
	s.Phase, s.EndedAt, s.Lease, s.Announced = SweepCancelled, now, Lease{}, false
}

// Again starts a sweep that is over once more, as a new generation: what
// failed, or all of it. One that could not list anything has nothing else to
// do again than all.
func (s *Sweep) Again(request string, failedOnly bool, now time.Time) {
	again := Sweep{
		Key: s.Key, Rule: s.Rule, Force: s.Force, DueAt: s.DueAt, Order: s.Order, Phase: SweepRequested,
		Generation: s.Generation + 1, Restart: request, FailedOnly: failedOnly && s.Phase != SweepFailed, RequestedAt: now,
	}
	if again.FailedOnly {
		again.Page, again.Listed = s.Missed, true
	}
	*s = again
}

// Delete leaves as little of a sweep that is over as keeps it from coming back.
func (s *Sweep) Delete() {
	*s = Sweep{
		Key: s.Key, Rule: config.Rule{Name: s.Rule.Name, Registry: s.Rule.Registry}, DueAt: s.DueAt, Phase: s.Phase,
		Generation: s.Generation, Outstanding: s.Outstanding, Counts: s.Counts, Partial: s.Partial,
		StartedAt: s.StartedAt, EndedAt: s.EndedAt, Announced: s.Announced, Deleted: true,
	}
}

// Miss notes a repository that could not be read to its end.
func (s *Sweep) Miss(repository string) {
	const most = 100
	if len(s.Missed) < most {
		s.Missed = append(slices.Clone(s.Missed), repository)
	}
}

// Fail counts n failures of a class.
func (s *Sweep) Fail(class FailureClass, n int) {
	s.Failures = maps.Clone(s.Failures)
	if s.Failures == nil {
		s.Failures = map[FailureClass]int{}
	}
	s.Failures[cmp.Or(class, FailureOther)] += n
}

// Note keeps the sweep's first few errors.
func (s *Sweep) Note(err string) {
	const most = 10
	s.Partial = true
	if len(s.Errors) < most {
		s.Errors = append(slices.Clone(s.Errors), err)
	}
}
