package harness

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxRecord is far above the size of any advisory.
const maxRecord = 16 << 20

// Vulnerable is one installed package that one advisory names.
type Vulnerable struct {
	ID      string   // of the advisory, such as DEBIAN-CVE-2024-28757
	CVEs    []string // that the advisory is about
	Package DebianPackage
	Fixed   string // the first version without the flaw; blank: none
}

// advisory is what is needed of an OSV record.
type advisory struct {
	ID        string
	Withdrawn string
	Aliases   []string
	Upstream  []string
	Affected  []struct {
		Package  struct{ Ecosystem, Name string }
		Versions []string
		Ranges   []struct {
			Type   string
			Events []map[string]string
		}
	}
}

// Vulnerable compares what dpkg says is installed with the advisories for
// Debian 12 in a folder in OSV export layout. It shares no code with the
// scanner: versions are compared by dpkg itself.
func (r Rootfs) Vulnerable(tb testing.TB, advisories string) []Vulnerable {
	tb.Helper()
	bySource := map[string][]DebianPackage{}
	for _, p := range r.Packages(tb) {
		bySource[p.Source] = append(bySource[p.Source], p)
	}
	d := dpkg{path: installed(tb, "dpkg", "dpkg"), known: map[string]bool{}}
	var found []Vulnerable
	for _, record := range readAdvisories(tb, filepath.Join(advisories, "Debian", "all.zip")) {
		if record.Withdrawn != "" {
			continue
		}
		for _, affected := range record.Affected {
			if affected.Package.Ecosystem != "Debian:12" {
				continue
			}
			for _, p := range bySource[affected.Package.Name] {
				hit, fixed := slices.Contains(affected.Versions, p.SourceVersion), ""
				for _, rng := range affected.Ranges {
					if rng.Type == "ECOSYSTEM" && d.within(tb, p.SourceVersion, rng.Events) {
						hit, fixed = true, firstFixed(tb, d, p.SourceVersion, rng.Events)
					}
				}
				if hit {
					found = append(found, Vulnerable{ID: record.ID, CVEs: record.cves(), Package: p, Fixed: fixed})
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b Vulnerable) int {
		return strings.Compare(a.ID+" "+a.Package.Name, b.ID+" "+b.Package.Name)
	})
	return found
}

func (a advisory) cves() []string {
	other := func(id string) bool { return !strings.HasPrefix(id, "CVE-") }
	cves := slices.DeleteFunc(slices.Concat(a.Aliases, a.Upstream), other)
	slices.Sort(cves)
	return slices.Compact(cves)
}

func readAdvisories(tb testing.TB, file string) []advisory {
	tb.Helper()
	archive, err := zip.OpenReader(file)
	if err != nil {
		tb.Fatalf("open advisories: %v", err)
	}
	defer func() { _ = archive.Close() }() // only read
	records := make([]advisory, 0, len(archive.File))
	for _, f := range archive.File {
		record, err := readAdvisory(f)
		if err != nil {
			tb.Fatalf("advisory %s: %v", f.Name, err)
		}
		records = append(records, record)
	}
	return records
}

func readAdvisory(f *zip.File) (advisory, error) {
	var record advisory
	content, err := f.Open()
	if err != nil {
		return record, fmt.Errorf("open: %w", err)
	}
	defer func() { _ = content.Close() }() // only read
	if err := json.NewDecoder(io.LimitReader(content, maxRecord)).Decode(&record); err != nil {
		return record, fmt.Errorf("decode: %w", err)
	}
	return record, nil
}

// dpkg compares versions and remembers the answers: a process for each
// comparison is what takes the time.
type dpkg struct {
	path  string
	known map[string]bool
}

// is asks whether "a op b" holds, op being lt, le, ge or gt.
func (d dpkg) is(tb testing.TB, a, op, b string) bool {
	tb.Helper()
	key := a + " " + op + " " + b
	answer, ok := d.known[key]
	if !ok {
		answer = Run(tb.Context(), tb, Command{Path: d.path, Args: []string{"--compare-versions", a, op, b}}).Code == 0
		d.known[key] = answer
	}
	return answer
}

// within walks a range's events, which are in order.
func (d dpkg) within(tb testing.TB, version string, events []map[string]string) bool {
	tb.Helper()
	in := false
	for _, event := range events {
		if v, ok := event["introduced"]; ok && (v == "0" || d.is(tb, version, "ge", v)) {
			in = true
		}
		if v, ok := event["fixed"]; ok && d.is(tb, version, "ge", v) {
			in = false
		}
		if v, ok := event["last_affected"]; ok && d.is(tb, version, "gt", v) {
			in = false
		}
	}
	return in
}

func firstFixed(tb testing.TB, d dpkg, version string, events []map[string]string) string {
	tb.Helper()
	for _, event := range events {
		if v, ok := event["fixed"]; ok && d.is(tb, version, "lt", v) {
			return v
		}
	}
	return ""
}
