package events

import (
	"errors"
	"slices"
)

// Change is one finding that came, went or changed.
type Change struct {
	ID       string `json:"id"`
	Package  string `json:"package"`  // purl
	Severity string `json:"severity"` // critical, high, medium, low, negligible or unknown
}

// Why an image's findings changed.
const (
	CausePush     = "push"     // its place has other content than before
	CauseDatabase = "database" // the advisories are others
	CausePolicy   = "policy"   // an exception, a VEX document or a threshold is another
	CauseEngine   = "engine"   // its inventory was made again by another engine
)

// FindingsChanged tells what is different between an image's verdict and the
// one before, and why.
type FindingsChanged struct {
	Image   Image    `json:"image"`
	Cause   string   `json:"cause"` // one of the Cause constants
	Added   []Change `json:"added,omitempty"`
	Removed []Change `json:"removed,omitempty"`
	Changed []Change `json:"changed,omitempty"`
	Report  Digest   `json:"report"`
}

func (d FindingsChanged) kind() Kind      { return KindFindings }
func (d FindingsChanged) route() []string { return []string{d.Image.Registry} }
func (d FindingsChanged) about() string   { return d.Image.Reference() }

func (d FindingsChanged) validate() error {
	errs := []error{
		d.Image.validate(),
		check(validCause(d.Cause), "cause", d.Cause),
		checkDigest("report", d.Report),
	}
	for _, c := range slices.Concat(d.Added, d.Removed, d.Changed) {
		errs = append(errs, c.validate())
	}
	return errors.Join(errs...)
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
