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

// LeftOut is why an image that was listed is not scanned.
type LeftOut string

// The reasons.
const (
	LeftByCap      LeftOut = "cap"
	LeftByAge      LeftOut = "pushedWithin"
	LeftByPlatform LeftOut = "platforms"
	LeftNoImage    LeftOut = "not-an-image"
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
	// Refetch says that layers are read again, too, that were read before the
	// sweep was asked for.
	Refetch bool       `json:"refetch,omitempty"`
	DueAt   time.Time  `json:"dueAt"`
	Phase   SweepPhase `json:"phase"`
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
	// Dates counts by source how the images it found were dated, and Left why
	// others were left out.
	Dates map[events.DateSource]int `json:"dates,omitempty"`
	Left  map[LeftOut]int           `json:"left,omitempty"`
	// Missed are repositories that were not read to their end, less than a page
	// of them: MissedPages full ones have records of their own, see MissedKey.
	Missed      []string `json:"missed,omitempty"`
	MissedPages int      `json:"missedPages,omitempty"`
	// Behind are such pages of generations before, which a sweep that does again
	// what failed has not begun yet, and FailedSince is the first generation whose
	// failed scans it asks for again.
	Behind      []MissedPages `json:"behind,omitempty"`
	FailedSince uint64        `json:"failedSince,omitempty"`

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

// AskedBefore reports whether a requester is the sweep in one of the
// generations whose failed scans it asks for again.
func (s *Sweep) AskedBefore(requester string) bool { return s.askedSince(s.FailedSince, requester) }

// RequesterBefore is the name it had before it was started again.
func (s *Sweep) RequesterBefore() string { return s.requester(max(s.Generation, 1) - 1) }

// TookBack reports whether a job was cancelled with a generation of the sweep
// that asked again for what had failed: it has failed before, and is still to be
// done.
func (s *Sweep) TookBack(j Job) bool {
	return j.State == JobCancelled &&
		slices.ContainsFunc(j.Withdrawn, func(id string) bool { return s.askedSince(s.FailedSince+1, id) })
}

func (s *Sweep) askedSince(first uint64, requester string) bool {
	for g := first; g < s.Generation; g++ {
		if requester == s.requester(g) {
			return true
		}
	}
	return false
}

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
// do again than all. What one that did again what had failed has not come to is
// still to be done.
func (s *Sweep) Again(request string, failedOnly bool, now time.Time) {
	again := Sweep{
		Key: s.Key, Rule: s.Rule, Force: s.Force, Refetch: s.Refetch, DueAt: s.DueAt, Order: s.Order, Phase: SweepRequested,
		Generation: s.Generation + 1, Restart: request, FailedOnly: failedOnly && s.Phase != SweepFailed, RequestedAt: now,
	}
	if again.FailedOnly {
		again.Page, again.Listed, again.FailedSince = s.Missed, true, s.Generation
		if s.FailedOnly {
			again.Page, again.Behind = slices.Concat(s.Page, s.Missed), slices.Clone(s.Behind)
		}
		if s.MissedPages > 0 {
			again.Behind = append(again.Behind, MissedPages{s.Generation, s.MissedPages})
		}
		if s.FailedOnly && s.Phase == SweepCancelled {
			again.FailedSince = s.FailedSince
		}
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

// Miss notes a repository that could not be read to its end. A page that is
// full is to be put away before.
func (s *Sweep) Miss(repository string) {
	s.Missed = append(slices.Clone(s.Missed), repository)
}

// MissedPage is a full page of a sweep's missed repositories: in the sweep's own
// record, which is written after each repository, there is no room for all.
type MissedPage struct {
	Repositories []string `json:"repositories"`
}

// MissedPages are the first full pages of what a generation has missed.
type MissedPages struct {
	Generation uint64 `json:"generation"`
	Pages      int    `json:"pages"`
}

// LeftBehind is how many repositories are in the pages that were not begun.
func (s *Sweep) LeftBehind() int {
	n := 0
	for _, b := range s.Behind {
		n += b.Pages * MissedPageSize
	}
	return n
}

// MissedPageSize is how many repositories a full page has.
const MissedPageSize = 100

// MissedKey is the key of a page, from 0, of what one generation of the sweep
// has missed.
func (s *Sweep) MissedKey(generation uint64, page int) string {
	return s.Key + "." + strconv.FormatUint(generation, 10) + "." + strconv.Itoa(page)
}

// MissedOfSweep selects all pages of a sweep.
func MissedOfSweep(key string) string { return key + ".>" }

// Fail counts n failures of a class.
func (s *Sweep) Fail(class FailureClass, n int) {
	s.Failures = maps.Clone(s.Failures)
	if s.Failures == nil {
		s.Failures = map[FailureClass]int{}
	}
	s.Failures[cmp.Or(class, FailureOther)] += n
}

// Date counts an image that was dated.
func (s *Sweep) Date(source events.DateSource) { s.Dates = oneMore(s.Dates, source) }

// Leave counts an image that was left out.
func (s *Sweep) Leave(why LeftOut) { s.Left = oneMore(s.Left, why) }

// oneMore adds one, in a copy: whoever holds the record before keeps it as it was.
func oneMore[K comparable](m map[K]int, key K) map[K]int {
	if m = maps.Clone(m); m == nil {
		m = map[K]int{}
	}
	m[key]++
	return m
}

// Note keeps the sweep's first few errors.
func (s *Sweep) Note(err string) {
	const most = 10
	s.Partial = true
	if len(s.Errors) < most {
		s.Errors = append(slices.Clone(s.Errors), err)
	}
}
