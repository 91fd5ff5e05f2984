package assess

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// Subject is what a report is about, beside its inventory.
type Subject struct {
	Digest    events.Digest
	Platform  events.Platform
	ScannedAt time.Time
	Inventory events.Digest
}

// NoteSampleDatabase is the code of the note that the database was only a
// sample: what was not found says nothing.
const NoteSampleDatabase = "sample-database"

// MaxReport is the largest report that is kept, in bytes of JSON.
const MaxReport = 256 << 20

// Report compares the inventory with the database. Without a database it says
// that nothing is known and has the status scanned, not completed.
func Report(db *advisory.DB, s Subject, img inventory.Image, now time.Time) verdict.Report {
	findings, notes := match.Match(db, img)
	notes = slices.Concat(sampled(db), img.Notes, notes)
	r := verdict.Report{
		Image: verdict.Image{
			Tags: []string{}, Digest: string(s.Digest), Platform: verdict.Platform(s.Platform),
		},
		OS: img.OS, Status: verdict.Scanned, ScannedAt: s.ScannedAt.UTC(), Inventory: string(s.Inventory),
		Completeness: verdict.Completeness{Complete: len(notes) == 0, Notes: orEmpty(notes)},
		Summary:      match.Summarise(findings),
		Layers:       orEmpty(img.Layers),
		Packages:     packages(img),
		Findings:     orEmpty(findings),
	}
	if db != nil {
		r.Status, r.MatchedAt, r.Database = verdict.Completed, now.UTC(), db.Version()
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

// Encode writes a report as JSON: the same report gives the same bytes.
func Encode(r verdict.Report) ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode report of %s: %w", r.Image.Digest, err)
	}
	return raw, nil
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

// Commit makes the report the image's verdict.
func Commit(img *state.Image, r verdict.Report, object events.Digest) {
	img.Report, img.Database, img.MatchedAt = object, r.Database.Version, r.MatchedAt
	img.Summary, img.Completeness = r.Summary, Codes(r.Completeness)
	img.Status = r.Status
}
