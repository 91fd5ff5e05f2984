package events

import (
	"errors"
	"fmt"
	"slices"
)

// Change is one finding that came, went or changed.
type Change struct {
	ID           string `json:"id"`
	Package      string `json:"package"`                // purl
	Severity     string `json:"severity"`               // critical, high, medium, low, negligible or unknown
	FixedVersion string `json:"fixedVersion,omitempty"` // absent: no fix known
	Was          *Was   `json:"was,omitempty"`          // before, where it changed
}

// Was is what a finding that changed was before.
type Was struct {
	ID           string `json:"id"` // another one where a CVE was given to a flaw that had none
	Severity     string `json:"severity"`
	FixedVersion string `json:"fixedVersion,omitempty"`
}

// Why an image's findings changed.
const (
	CausePush     = "push"     // it is new here: this is its first verdict
	CauseDatabase = "database" // the advisories are others
	CausePolicy   = "policy"   // an exception, a VEX document or a threshold is another
	CauseEngine   = "engine"   // its inventory was made again by another engine
)

// FindingsChanged tells what is different between an image's verdict and the
// one before that was told of, and why. The lists name the worst; where there
// are more than fit, Counts says how many, and the two reports have them all.
type FindingsChanged struct {
	Image   Image        `json:"image"`
	Cause   string       `json:"cause"` // one of the Cause constants
	Counts  ChangeCounts `json:"counts"`
	Added   []Change     `json:"added,omitempty"`
	Removed []Change     `json:"removed,omitempty"`
	Changed []Change     `json:"changed,omitempty"` // other severity, fixed version or id
	Before  Digest       `json:"before,omitempty"`  // the report before, kept for an hour at least; absent: there was none
	Report  Digest       `json:"report"`
}

// ChangeCounts counts the findings that came, went or changed.
type ChangeCounts struct {
	Added   int `json:"added"`
	Removed int `json:"removed"`
	Changed int `json:"changed"`
}

func (d FindingsChanged) kind() Kind      { return KindFindings }
func (d FindingsChanged) route() []string { return []string{d.Image.Registry} }
func (d FindingsChanged) about() string   { return d.Image.Reference() }

func (d FindingsChanged) validate() error {
	errs := []error{
		d.Image.validate(),
		check(validCause(d.Cause), "cause", d.Cause),
		checkDigest("report", d.Report),
		check(d.counted(), "counts", fmt.Sprint(d.Counts)),
	}
	if d.Before != "" {
		errs = append(errs, checkDigest("before", d.Before))
	}
	for _, c := range slices.Concat(d.Added, d.Removed, d.Changed) {
		errs = append(errs, c.validate())
	}
	return errors.Join(errs...)
}

// counted tells whether no list has more than is counted.
func (d FindingsChanged) counted() bool {
	return len(d.Added) <= d.Counts.Added && len(d.Removed) <= d.Counts.Removed && len(d.Changed) <= d.Counts.Changed
}

func validCause(cause string) bool {
	switch cause {
	case CausePush, CauseDatabase, CausePolicy, CauseEngine:
		return true
	default:
		return false
	}
}

func (c Change) validate() error {
	return errors.Join(
		check(c.ID != "", "change without id", c.Package),
		check(c.Package != "", "change without package", c.ID),
		check(validSeverity(c.Severity), "severity", c.Severity),
		check(c.Was == nil || c.Was.ID != "" && validSeverity(c.Was.Severity), "change from", c.ID),
	)
}

func validSeverity(severity string) bool {
	switch severity {
	case "critical", "high", "medium", "low", "negligible", "unknown":
		return true
	default:
		return false
	}
}
