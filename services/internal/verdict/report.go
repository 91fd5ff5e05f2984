// Package verdict holds the report of one image: what the worker writes, the
// report service keeps and the command line prints. Its JSON form is a public
// contract (schemas/report.json); fields are added, never renamed or removed.
package verdict

import "time"

// Status is the state of an image's newest scan, in Mirantis Secure Registry's
// numbers.
type Status int

// The statuses an image moves through.
const (
	Failed    Status = 0 // the scan ended without a result
	Unscanned Status = 1 // known, nobody asked for a scan
	Scanning  Status = 2 // layers are being read
	Pending   Status = 3 // queued
	Scanned   Status = 4 // inventory stored, not matched yet
	Checking  Status = 5 // being matched against an advisory database
	Completed Status = 6 // inventory and verdict stored
)

// Severity is a finding's rating, in lower case.
type Severity string

// The severities, worst first. Unknown means nobody rated it, never "harmless".
const (
	Critical   Severity = "critical"
	High       Severity = "high"
	Medium     Severity = "medium"
	Low        Severity = "low"
	Negligible Severity = "negligible"
	Unknown    Severity = "unknown"
)

// Report is everything known about one platform image at one moment.
type Report struct {
	Image        Image        `json:"image"`
	OS           OS           `json:"os"`
	Status       Status       `json:"status"`
	ScannedAt    time.Time    `json:"scannedAt"`           // when the inventory was finished
	MatchedAt    time.Time    `json:"matchedAt"`           // when it was last compared with a database; zero: never
	Inventory    string       `json:"inventory,omitempty"` // digest of the image inventory
	Database     Database     `json:"database"`
	Completeness Completeness `json:"completeness"`
	Summary      Summary      `json:"summary"`
	Layers       []Layer      `json:"layers"`
	Packages     []Package    `json:"packages"`
	Findings     []Finding    `json:"findings"`
	Error        string       `json:"error,omitempty"` // why the newest scan failed, where it did
}

// Image names the image and the place it was seen at. The stored report of a
// digest leaves the place out: whoever serves it adds the place asked for.
type Image struct {
	Registry   string   `json:"registry"` // configured name
	Host       string   `json:"host"`     // pull host
	Repository string   `json:"repository"`
	Tags       []string `json:"tags"`
	Digest     string   `json:"digest"`
	Platform   Platform `json:"platform"`
	Rules      []string `json:"rules,omitempty"`
	// Date is how old the image counts as there, and DateSource who says so, as
	// events.DateSource has it.
	Date       time.Time `json:"date,omitzero"`
	DateSource string    `json:"dateSource,omitempty"`
	// LastSeenAt is when the registry last showed it there, under these tags.
	LastSeenAt time.Time `json:"lastSeenAt,omitzero"`
}

// Platform is what the image runs on.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
}

// String is the usual os/architecture[/variant] form.
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// OS is the distribution inside the image, from os-release.
type OS struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Name    string `json:"name"`
}

// Database names the advisory database a report was made with. An empty
// version means there was none: nothing is known, which is not clean.
type Database struct {
	Version   string    `json:"version"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Completeness says what a report did not look at.
type Completeness struct {
	Complete bool   `json:"complete"`
	Notes    []Note `json:"notes"`
}

// Note is one thing that was not seen, or not fully.
type Note struct {
	Code    string `json:"code"` // stable, for machines: see the constants
	Message string `json:"message"`
	Layer   string `json:"layer,omitempty"` // digest, where one layer is meant
}

// The codes of completeness notes.
const (
	NoteNoDatabase            = "no-database"             // there was no advisory database at all
	NoteUnsupportedOS         = "unsupported-os"          // no advisories are kept for this distribution
	NoteEcosystemNotCovered   = "ecosystem-not-covered"   // the database has no advisories for it
	NoteLayerPartial          = "layer-partial"           // a limit was hit while reading a layer
	NoteForeignLayer          = "foreign-layer"           // the layer is not in the registry
	NoteFileUnreadable        = "file-unreadable"         // a package record could not be understood
	NoteVersionUnparsable     = "version-unparsable"      // a version could not be compared
	NoteUnknownPackageVersion = "package-version-unknown" // a package without a usable version
)

// Summary counts findings.
type Summary struct {
	Critical   int        `json:"critical"`
	High       int        `json:"high"`
	Medium     int        `json:"medium"`
	Low        int        `json:"low"`
	Negligible int        `json:"negligible"`
	Unknown    int        `json:"unknown"`
	Total      int        `json:"total"`
	Fixable    int        `json:"fixable"`
	MSR        MSRSummary `json:"msr"`
}

// MSRSummary counts as Mirantis Secure Registry does: by CVSS score, critical
// from 7.0, major from 4.0, minor above 0.
type MSRSummary struct {
	Critical int `json:"critical"`
	Major    int `json:"major"`
	Minor    int `json:"minor"`
}

// Layer is one layer of the image, lowest first.
type Layer struct {
	Index     int    `json:"index"`
	Digest    string `json:"digest"`
	CreatedBy string `json:"createdBy"` // the build instruction, where the config tells
	Size      int64  `json:"size"`      // compressed bytes
}

// LayerRef points a package at the layer that brought it.
type LayerRef struct {
	Index     int    `json:"index"`
	Digest    string `json:"digest"`
	CreatedBy string `json:"createdBy"`
}

// Source is the source package a binary package was built from.
type Source struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Package is one installed package.
type Package struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Ecosystem string   `json:"ecosystem"` // as OSV writes it: "Debian:12", "npm"; empty: none known
	PURL      string   `json:"purl"`
	Source    Source   `json:"source"`
	Evidence  string   `json:"evidence"` // record (a package manager's) or file (found in a binary or archive)
	Location  string   `json:"location"` // path inside the image, without a leading slash
	Layer     LayerRef `json:"layer"`
}

// CVSS is the vector a severity was computed from.
type CVSS struct {
	Version string  `json:"version"` // 2.0, 3.0, 3.1, 4.0
	Score   float64 `json:"score"`
	Vector  string  `json:"vector"`
}

// EPSS is the exploit prediction for the finding's CVE.
type EPSS struct {
	Score      float64 `json:"score"`
	Percentile float64 `json:"percentile"`
	Date       string  `json:"date"`
}

// Finding is one vulnerability in one package.
type Finding struct {
	ID             string   `json:"id"` // the CVE where there is one, else the advisory's id
	Aliases        []string `json:"aliases"`
	Package        string   `json:"package"` // purl
	Severity       Severity `json:"severity"`
	SeveritySource string   `json:"severitySource,omitempty"` // which record or rating the severity is from
	CVSS           *CVSS    `json:"cvss"`
	FixedVersion   string   `json:"fixedVersion"` // empty: no fix known
	Layer          LayerRef `json:"layer"`
	Advisories     []string `json:"advisories"`
	Summary        string   `json:"summary,omitempty"`
	EPSS           *EPSS    `json:"epss"`
	KEV            bool     `json:"kev"`
}
