package advisory

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

const (
	maxID         = 128
	maxName       = 1024   // package names; Go module paths are the longest
	maxReferences = 10_000 // aliases, upstream or related ids of a record
	maxSummary    = 200
	maxYear       = 2200 // of a modification: later ones do not fit into nanoseconds
	// maxRedundancy bounds the work of dropping listed versions; a list past
	// it is kept as it is.
	maxRedundancy = 4_000_000
)

// parsed is a record with its packages and what had to be left out of it.
type parsed struct {
	record        Record
	withdrawn     bool
	affected      []named
	rangesSkipped int
}

// named is a statement with the key it is found by.
type named struct {
	family, name string
	Affected
}

// parseRecord reads one OSV record. The error says why it cannot be used.
func parseRecord(data []byte) (parsed, error) {
	var raw osvRecord
	if err := json.Unmarshal(data, &raw); err != nil {
		return parsed{record: Record{ID: raw.ID}}, fmt.Errorf("parse record: %w", err)
	}
	p := parsed{record: Record{ID: raw.ID}, withdrawn: raw.Withdrawn != ""}
	if err := checkID(raw.ID); err != nil {
		return p, err
	}
	modified, err := time.Parse(time.RFC3339Nano, raw.Modified)
	if err != nil {
		return p, fmt.Errorf("parse modified: %w", err)
	}
	if modified.Year() > maxYear {
		return p, fmt.Errorf("modified in %d", modified.Year())
	}
	if epoch := time.Unix(0, 0); modified.Before(epoch) {
		modified = epoch // sources write year 1 where they do not know
	}
	p.record.Modified = modified.UTC()
	if max(len(raw.Aliases), len(raw.Upstream), len(raw.Related)) > maxReferences {
		return p, errors.New("too many references")
	}
	p.record.Aliases, p.record.Upstream, p.record.Related = ids(raw.Aliases), ids(raw.Upstream), ids(raw.Related)
	p.record.Summary = shorten(raw.Summary)
	p.record.CVSS = vectors(raw.Severity)
	p.record.Rating = recordRating(raw)
	if p.withdrawn {
		return p, nil
	}
	for _, a := range raw.Affected {
		entry, skipped, ok := parseAffected(raw.ID, a)
		p.rangesSkipped += skipped
		if ok {
			p.affected = append(p.affected, entry)
		}
	}
	return p, nil
}

func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return errors.New("no usable id")
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return errors.New("id with strange characters")
		}
	}
	return nil
}

func ids(in []string) []string {
	var out []string
	for _, id := range in {
		if checkID(id) == nil {
			out = append(out, id)
		}
	}
	return out
}

// shorten makes one line of at most maxSummary characters.
func shorten(s string) string {
	if len(s) > 8*maxSummary {
		s = s[:8*maxSummary]
	}
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if runes := []rune(s); len(runes) > maxSummary {
		return strings.TrimSpace(string(runes[:maxSummary-1])) + "…"
	}
	return s
}

// parseAffected reads one statement. It is not ok where there is nothing in it
// for a version: commit ranges alone. One whose ranges cannot be understood is
// kept, so that its package is not taken for clean.
func parseAffected(id string, a osvAffected) (entry named, skipped int, ok bool) {
	eco, name := a.Package.Ecosystem, a.Package.Name
	if eco == "" || name == "" || len(name) > maxName || len(eco) > maxName || strings.ContainsRune(eco+name, 0) {
		return named{}, 0, false
	}
	family := Family(eco)
	entry = named{family: family, name: NormalName(family, name)}
	entry.ID, entry.Ecosystem = id, Canonical(eco)
	entry.Module = word(a.Ecosystem, "rpm_modularity")
	entry.Rating = affectedRating(a)
	entry.CVSS = vectors(a.Severity)
	for _, r := range a.Ranges {
		scheme, semver := version.SchemeOf(eco), r.Type == "SEMVER"
		switch {
		case r.Type == "GIT":
			continue
		case semver:
			scheme = version.Semver
		case r.Type != "ECOSYSTEM":
			skipped++
			continue
		}
		runs, err := intervals(scheme, semver, r.Events)
		if err != nil {
			skipped++
			continue
		}
		entry.Intervals = append(entry.Intervals, runs...)
	}
	entry.Versions = remaining(version.SchemeOf(eco), entry.Intervals, a.Versions)
	entry.Unclear = skipped > 0
	return entry, skipped, entry.Unclear || len(entry.Intervals)+len(entry.Versions) > 0
}

// remaining drops the listed versions that an interval covers anyway, which
// are nearly all: the lists are most of an export's bulk.
func remaining(scheme version.Scheme, runs []Interval, listed []string) []string {
	if len(runs)*len(listed) > maxRedundancy {
		return listed
	}
	ranges := newRanges(scheme, runs)
	var out []string
	for _, v := range listed {
		if _, in := ranges.Holding(NewInstalled(scheme, v)); !in && v != "" {
			out = append(out, v)
		}
	}
	return out
}
