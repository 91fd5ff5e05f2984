package match_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// debs makes an image of n Debian 12 packages: each source package the
// advisories know has two binaries, at its newest fix and the suffix; the rest
// is unknown to them.
func debs(tb testing.TB, n int, suffix string, kernel bool) inventory.Image {
	tb.Helper()
	newest := map[string]string{}
	for _, r := range rawRecords(tb) {
		for _, a := range r.Affected {
			if a.Package.Ecosystem != "Debian:12" || (a.Package.Name == "linux" && !kernel) {
				continue
			}
			for _, e := range a.Ranges[0].Events {
				v, old := advisory.NewInstalled("Debian", e["fixed"]), newest[a.Package.Name]
				if v.Comparable() && (old == "" || v.Compare(advisory.NewInstalled("Debian", old)) > 0) {
					newest[a.Package.Name] = e["fixed"]
				}
			}
		}
	}
	img := inventory.Image{Layers: []verdict.Layer{{Digest: "sha256:a"}}}
	for _, name := range slices.Sorted(maps.Keys(newest)) {
		for _, kind := range []string{"", "-dev"} {
			img.Packages = append(img.Packages, inventory.Package{
				Type: "deb", Name: name + kind, Version: newest[name] + suffix, Ecosystem: "Debian:12",
				Source: verdict.Source{Name: name, Version: newest[name] + suffix}, PURL: "pkg:deb/debian/" + name + kind + "@" + newest[name] + suffix,
			})
		}
	}
	for len(img.Packages) < n {
		name := fmt.Sprintf("unknown%d", len(img.Packages))
		img.Packages = append(img.Packages, inventory.Package{
			Type: "deb", Name: name, Version: "1.0-1", Ecosystem: "Debian:12", PURL: "pkg:deb/debian/" + name + "@1.0-1",
		})
	}
	img.Packages = img.Packages[:n]
	return img
}

// kind is how old the packages of an image are.
type kind struct {
	name, suffix string
	kernel       bool
}

func kinds() []kind {
	return []kind{{"updated", "", false}, {"one update behind", "~", false}, {"one update behind, kernel headers", "~", true}}
}

// BenchmarkMatch compares an image of a thousand packages that were seen before,
// as nearly all of a registry's are. What it tells of a thousand packages is
// the processor's time, of all goroutines.
func BenchmarkMatch(b *testing.B) {
	db := compileReal(b)
	for _, tt := range kinds() {
		b.Run(tt.name, func(b *testing.B) {
			img := debs(b, 1000, tt.suffix, tt.kernel)
			match.Match(db, img)
			findings, begun := 0, used(b)
			for b.Loop() {
				found, _ := match.Match(db, img)
				findings = len(found)
			}
			b.ReportMetric(float64(findings), "findings")
			b.ReportMetric(milliseconds(used(b)-begun)/float64(b.N), "cpu-ms/1000pkg")
		})
	}
}

// BenchmarkMatchCold compares the same images right after the database was
// opened: every package is seen for the first time.
func BenchmarkMatchCold(b *testing.B) {
	path := filepath.Join(b.TempDir(), "advisories.db")
	if _, err := advisory.Compile(b.Context(), os.DirFS(export(b)), path, advisory.Options{}); err != nil {
		b.Fatal(err)
	}
	for _, tt := range kinds() {
		b.Run(tt.name, func(b *testing.B) {
			img := debs(b, 1000, tt.suffix, tt.kernel)
			var spent time.Duration
			for b.Loop() {
				db, err := advisory.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				begun := used(b)
				match.Match(db, img)
				spent += used(b) - begun
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(milliseconds(spent)/float64(b.N), "cpu-ms/1000pkg")
		})
	}
}
