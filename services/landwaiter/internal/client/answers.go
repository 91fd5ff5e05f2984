package client

import (
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// Image is an image in a list: at one place.
type Image struct {
	Registry   string           `json:"registry"`
	Host       string           `json:"host"`
	Repository string           `json:"repository"`
	Tags       []string         `json:"tags"`
	Digest     string           `json:"digest"`
	Platform   verdict.Platform `json:"platform"`
	Status     verdict.Status   `json:"status"`
	Error      string           `json:"error"`
	// Summary is nil while there is no verdict.
	Summary      *verdict.Summary `json:"summary"`
	Complete     bool             `json:"complete"`
	Incomplete   []string         `json:"incomplete"`
	ScannedAt    time.Time        `json:"scannedAt"`
	MissingSince time.Time        `json:"missingSince"`
	Platforms    []Image          `json:"platforms"`
}

// Images is a page of images.
type Images struct {
	Images     []Image `json:"images"`
	Next       string  `json:"next"`
	Rebuilding bool    `json:"rebuilding"`
}

// Request is a scan request and what became of it.
type Request struct {
	ID    string `json:"id"`
	Image string `json:"image"`
	State string `json:"state"` // planning, planned, failed, cancelled
	Error string `json:"error"`
	Scans []Scan `json:"scans"`
}

// Scan is one platform image of a request.
type Scan struct {
	Digest   string           `json:"digest"`
	Platform verdict.Platform `json:"platform"`
	State    string           `json:"state"` // unknown, queued, running, done, failed, cancelled
	Status   verdict.Status   `json:"status"`
	Attempts int              `json:"attempts"`
	Waiting  string           `json:"waiting"`
	Error    string           `json:"error"`
}

// Sweep is one run over a registry's images.
type Sweep struct {
	ID       string `json:"id"`
	Rule     string `json:"rule"`
	Registry string `json:"registry"`
	State    string `json:"state"`
	Phase    string `json:"phase"`
	Waiting  string `json:"waiting,omitempty"`
	// SecondsLeft is nil where nobody can tell.
	SecondsLeft *int64             `json:"secondsLeft,omitempty"`
	Counts      events.SweepCounts `json:"counts"`
	Partial     bool               `json:"partial"`
	DueAt       time.Time          `json:"dueAt"`
	EndedAt     time.Time          `json:"endedAt"`
	Errors      []string           `json:"errors"`
}

// Sweeps is a page of sweeps.
type Sweeps struct {
	Sweeps     []Sweep `json:"sweeps"`
	NextCursor string  `json:"nextCursor"`
}

// Advisories is the advisory database, how it is kept current, and who has it
// in use.
type Advisories struct {
	Database *Database        `json:"database"`
	Update   AdvisoryUpdate   `json:"update"`
	Replicas []events.Replica `json:"replicas"`
}

// Database is the advisory database in use.
type Database struct {
	Version   string    `json:"version"`
	UpdatedAt time.Time `json:"updatedAt"`
	StoredAt  time.Time `json:"storedAt"`
	Records   int       `json:"records"`
	Skipped   int       `json:"skipped"`
	Sample    bool      `json:"sample,omitempty"`
}

// AdvisoryUpdate is what became of the last looks at the source.
type AdvisoryUpdate struct {
	Source      string    `json:"source,omitempty"`
	SucceededAt time.Time `json:"succeededAt,omitzero"`
	AskedAt     time.Time `json:"askedAt,omitzero"`
	Condition   *Failure  `json:"condition,omitempty"`
}

// Failure is why the last looks failed.
type Failure struct {
	Error  string    `json:"error"`
	Since  time.Time `json:"since"`
	LastAt time.Time `json:"lastAt"`
	Count  int       `json:"count"`
}
