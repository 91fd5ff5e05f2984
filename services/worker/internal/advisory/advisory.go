// Package advisory compiles OSV records into one keyed file and looks
// advisories up in it.
//
// The file is read by key and never as a whole: only its index, 20 bytes a
// key, is held in memory. The same records always give the same bytes.
package advisory

import "time"

// Record is what is kept of an advisory besides the packages it affects.
type Record struct {
	ID       string
	Modified time.Time
	Aliases  []string // the same flaw in the same software
	Upstream []string // the flaws a distribution's advisory is about
	Related  []string // similar flaws
	CVSS     []CVSS   // valid vectors only, newest CVSS version first
	Rating   Rating   // of the whole record
	Summary  string   // at most 200 characters
}

// CVSS is a vector and the score computed from it.
type CVSS struct {
	Version string // 2.0, 3.0, 3.1, 4.0
	Score   float64
	Vector  string
}

// Rating is a word somebody rated a flaw with, lower case: "moderate".
type Rating struct {
	Kind RatingKind
	Word string
}

// RatingKind says where a rating was written.
type RatingKind string

// The kinds of ratings.
const (
	Urgency       RatingKind = "urgency"       // Debian, per package and release
	Priority      RatingKind = "priority"      // Ubuntu
	Summary       RatingKind = "summary"       // AlmaLinux, Rocky Linux: first word of the summary
	Declared      RatingKind = "severity"      // GHSA, Bitnami: database_specific.severity
	Informational RatingKind = "informational" // RustSec: unmaintained, unsound, notice
)

// Affected is one record's statement about one package in one ecosystem.
type Affected struct {
	ID        string // of the record
	Ecosystem string // canonical, release included
	Module    string // rpm module and stream, where the statement is about one: "nodejs:18"
	Rating    Rating
	CVSS      []CVSS
	Intervals []Interval
	Versions  []string // affected versions that no interval covers
	Unclear   bool     // it has ranges, too, that cannot be understood
}

// End says how an interval ends.
type End uint8

// The ends of an interval.
const (
	Never   End = iota // nothing ends it
	FixedAt            // To is the first version that is not affected
	LastAt             // To is the last version that is affected
	LimitAt            // To bounds the statement; nothing is known to be fixed
)

// Interval is one run of affected versions.
type Interval struct {
	Semver bool   // compared as SEMVER, whatever the ecosystem
	From   string // first affected version; empty: from the beginning
	To     string // see End
	End    End
}

// Flaw is what is known of a CVE from all records together and from the feeds.
type Flaw struct {
	CVSS       []CVSS // at most one
	CVSSFrom   string // id of the record the vector is from
	Rating     Rating
	RatingFrom string
	KEV        bool
	EPSS       float64 // probability, 0 to 1
	Percentile float64
	HasEPSS    bool
}
