package assess

import (
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// Subject is what a report is about, beside its inventory.
type Subject struct {
	Digest    events.Digest
	Platform  events.Platform
	Inventory events.Digest
}

// NoteSampleDatabase is the code of the note that the database was only a
// sample: what was not found says nothing.
const NoteSampleDatabase = "sample-database"

// MaxReport is the largest report that is kept, in bytes of JSON.
const MaxReport = 256 << 20

// Report compares the inventory with the database. Without a database it says
// that nothing is known and has the status scanned, not completed.
//
// It depends on nothing but its arguments: no time and no database's version
// is in it, so that the same verdict is the same bytes. See [Dated].
func Report(db *advisory.DB, s Subject, img inventory.Image) verdict.Report {
	findings, notes := match.Match(db, img)
	notes = slices.Concat(sampled(db), img.Notes, notes)
	r := verdict.Report{
		Image: verdict.Image{
			Tags: []string{}, Digest: string(s.Digest), Platform: verdict.Platform(s.Platform),
		},
		OS: img.OS, Status: verdict.Scanned, Inventory: string(s.Inventory),
		Completeness: verdict.Completeness{Complete: len(notes) == 0, Notes: orEmpty(notes)},
		Summary:      match.Summarise(findings),
		Layers:       orEmpty(img.Layers),
		Packages:     packages(img),
		Findings:     orEmpty(findings),
	}
	if db != nil {
		r.Status = verdict.Completed
	}
	return r
}

// Dated adds what a report leaves out: when the inventory was made, and when
// and with which database it was compared.
func Dated(r verdict.Report, db *advisory.DB, scannedAt, matchedAt time.Time) verdict.Report {
	r.ScannedAt = scannedAt.UTC()
	if db != nil {
		r.MatchedAt, r.Database = matchedAt.UTC(), db.Version()
	}
	return r
}

// sampled notes that most advisories are missing.
func sampled(db *advisory.DB) []verdict.Note {
	if db == nil || !db.Sample() {
		return nil
	}
	return []verdict.Note{{
		Code:    NoteSampleDatabase,
		Message: "only the small sample set of advisories was at hand: most vulnerabilities are not in it",
	}}
}

func packages(img inventory.Image) []verdict.Package {
	list := make([]verdict.Package, 0, len(img.Packages))
	for _, p := range img.Packages {
		list = append(list, verdict.Package{
			Name: p.Name, Version: p.Version, Ecosystem: p.Ecosystem, PURL: p.PURL, Source: p.Source,
			Evidence: string(p.Evidence), Location: p.Location, Layer: layerRef(img, p.Layer),
		})
	}
	return list
}

func layerRef(img inventory.Image, index int) verdict.LayerRef {
	if index < 0 || index >= len(img.Layers) {
		return verdict.LayerRef{Index: index}
	}
	l := img.Layers[index]
	return verdict.LayerRef{Index: l.Index, Digest: l.Digest, CreatedBy: l.CreatedBy}
}

// orEmpty keeps lists from being null in JSON.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Codes lists the codes of what was not seen, each once.
func Codes(c verdict.Completeness) []string {
	codes := make([]string, 0, len(c.Notes))
	for _, n := range c.Notes {
		codes = append(codes, n.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}
