package events

import (
	"errors"
	"time"
)

// Completeness says whether anything was left out, and by which codes.
type Completeness struct {
	Complete bool     `json:"complete"`
	Notes    []string `json:"notes,omitempty"` // codes, each once
}

// ScanCompleted announces a stored verdict. The report itself stands in the
// object store under its digest.
type ScanCompleted struct {
	Scan         string       `json:"scan"`
	Image        Image        `json:"image"`
	Inventory    Digest       `json:"inventory"`
	Database     string       `json:"database"` // version; empty: there was none, nothing is known
	Policy       string       `json:"policy"`
	Status       int          `json:"status"`
	Summary      Counts       `json:"summary"`
	Completeness Completeness `json:"completeness"`
	Report       Digest       `json:"report"`
	StartedAt    time.Time    `json:"startedAt,omitzero"` // absent where not known
	CompletedAt  time.Time    `json:"completedAt"`
	Lane         Lane         `json:"lane,omitempty"` // absent: no scan ran, a stored inventory was compared again
	Rules        []string     `json:"rules,omitempty"`
}

func (d ScanCompleted) kind() Kind      { return KindCompleted }
func (d ScanCompleted) route() []string { return []string{d.Image.Registry} }
func (d ScanCompleted) about() string   { return d.Image.Reference() }

func (d ScanCompleted) validate() error {
	return errors.Join(
		d.Image.validate(),
		check(d.Scan != "", "scan", d.Scan),
		checkDigest("inventory", d.Inventory),
		checkDigest("report", d.Report),
		checkStatus(d.Status),
		checkCounts("summary", d.Summary.least()),
		check(!d.CompletedAt.IsZero(), "completedAt", ""),
		check(d.Lane == "" || d.Lane.valid(), "lane", string(d.Lane)),
		checkEach(ValidName, "rule", d.Rules),
	)
}
