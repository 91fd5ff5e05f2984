package view

import (
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// Image is what the view holds of one manifest.
type Image struct {
	Digest    events.Digest    `json:"digest"`
	MediaType string           `json:"mediaType,omitempty"`
	Platform  verdict.Platform `json:"platform"`
	// Children makes it an index.
	Children   []Child         `json:"children,omitempty"`
	Status     verdict.Status  `json:"status"`
	Error      string          `json:"error,omitempty"`
	Summary    verdict.Summary `json:"summary"`
	ScannedAt  time.Time       `json:"scannedAt,omitzero"`
	MatchedAt  time.Time       `json:"matchedAt,omitzero"`
	Database   string          `json:"database,omitempty"`
	DatabaseAt time.Time       `json:"databaseAt,omitzero"`
	Incomplete []string        `json:"incomplete,omitempty"` // codes of what was not seen
	Report     events.Digest   `json:"report,omitempty"`     // empty: there is none yet
	Places     []string        `json:"places"`               // ids, newest first
}

// Known reports whether the summary says anything: there is a verdict, and it
// was made with advisories.
func (i Image) Known() bool { return i.Report != "" && i.Database != "" }

// Child is one platform's manifest in an index.
type Child struct {
	Digest   events.Digest    `json:"digest"`
	Platform verdict.Platform `json:"platform"`
}

// Place is one image at one registry and repository, with what lists show of
// the image.
type Place struct {
	ID         string           `json:"-"`
	Registry   string           `json:"registry"`
	Host       string           `json:"host"`
	Repository string           `json:"repository"`
	Tags       []string         `json:"tags"`
	Digest     events.Digest    `json:"digest"`
	Index      bool             `json:"index,omitempty"`
	Platform   verdict.Platform `json:"platform"`
	Status     verdict.Status   `json:"status"`
	Error      string           `json:"error,omitempty"`
	Reported   bool             `json:"reported"` // see Image.Known; else the summary says nothing
	Incomplete []string         `json:"incomplete,omitempty"`
	Summary    verdict.Summary  `json:"summary"`
	ScannedAt  time.Time        `json:"scannedAt,omitzero"`
	MatchedAt  time.Time        `json:"matchedAt,omitzero"`
	PushedAt   time.Time        `json:"pushedAt,omitzero"`
	// Date is how old the image counts as there, and DateSource who says so.
	Date         time.Time         `json:"date,omitzero"`
	DateSource   events.DateSource `json:"dateSource,omitempty"`
	FirstSeen    time.Time         `json:"firstSeen"`
	Origin       state.Origin      `json:"origin,omitempty"`
	LastSeen     time.Time         `json:"lastSeen"`
	MissingSince time.Time         `json:"missingSince,omitzero"`
	Missing      string            `json:"missing,omitempty"`
	ExpiresAt    time.Time         `json:"expiresAt,omitzero"` // zero while present
	Rules        []string          `json:"rules"`
}

// Entry is a place to be written, and how long it holds.
type Entry struct {
	Place Place
	// Until is when a missing place expires; zero for a present one.
	Until time.Time
	// Safety is how long a present place stays without being written again.
	Safety time.Duration
}

// Picture is all that the view is to hold of one image. Without entries it is
// to hold nothing.
type Picture struct {
	Image   Image
	Entries []Entry
	// SameReport says that the view has the image's report: the fields below
	// are not filled in, what they told holds on.
	SameReport bool
	// Vulnerabilities and Packages are what places are found by beside their
	// own properties.
	Vulnerabilities, Packages []string
	Report                    []byte // JSON
}
