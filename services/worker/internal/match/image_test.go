package match_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

func TestMatchWithoutDatabase(t *testing.T) {
	findings, notes := match.Match(nil, inventory.Image{Packages: []inventory.Package{{Name: "x", Ecosystem: "npm"}}})
	if len(findings) != 0 || len(notes) != 1 || notes[0].Code != verdict.NoteNoDatabase {
		t.Errorf("findings = %v, notes = %v, want one note %s", findings, notes, verdict.NoteNoDatabase)
	}
}

func TestMatchNotes(t *testing.T) {
	db := database(t, record("A-1", statement("npm", "x", "SEMVER", "introduced 0", `"versions":["weird"]`)),
		record("A-2", statement("Debian:12", "x", "ECOSYSTEM", "introduced 0")),
		record("A-4", statement("npm", "odd", "SEMVER", "introduced 0, fixed nightly", `"versions":["2.0.0"]`)),
		record("A-3", statement("Packagist", "a/x", "ECOSYSTEM", "introduced 0, fixed 2.0.0")))
	tests := []struct {
		name  string
		pkg   inventory.Package
		codes []string
		hits  int
	}{
		{"fine", inventory.Package{Name: "x", Version: "1.0.0", Ecosystem: "npm"}, nil, 1},
		{"nothing about it", inventory.Package{Name: "y", Version: "1.0.0", Ecosystem: "npm"}, nil, 0},
		{"family not covered", inventory.Package{Name: "x", Version: "1.0.0", Ecosystem: "Maven"}, []string{verdict.NoteEcosystemNotCovered}, 0},
		{"release not covered", inventory.Package{Name: "x", Version: "1", Ecosystem: "Debian:13"}, []string{verdict.NoteEcosystemNotCovered}, 0},
		{"release not known", inventory.Package{Name: "x", Version: "1", Ecosystem: "Debian"}, []string{verdict.NoteEcosystemNotCovered}, 0},
		{"no ecosystem", inventory.Package{Type: "rpm", Name: "x", Version: "1"}, []string{verdict.NoteEcosystemNotCovered}, 0},
		{"range that cannot be understood", inventory.Package{Name: "odd", Version: "1.0.0", Ecosystem: "npm"}, []string{verdict.NoteVersionUnparsable}, 0},
		{"range that cannot be understood, listed", inventory.Package{Name: "odd", Version: "2.0.0", Ecosystem: "npm"}, []string{verdict.NoteVersionUnparsable}, 1},
		{"no version", inventory.Package{Name: "x", Ecosystem: "npm"}, []string{verdict.NoteUnknownPackageVersion}, 0},
		{"no version, nothing about it", inventory.Package{Name: "y", Ecosystem: "npm"}, nil, 0},
		{"development version", inventory.Package{Name: "x", Version: "(devel)", Ecosystem: "npm"}, []string{verdict.NoteUnknownPackageVersion}, 0},
		{"branch", inventory.Package{Name: "a/x", Version: "dev-main", Ecosystem: "Packagist"}, []string{verdict.NoteUnknownPackageVersion}, 0},
		{"version of a branch", inventory.Package{Name: "a/x", Version: "v1.0.0", Ecosystem: "Packagist"}, nil, 1},
		{"strange version", inventory.Package{Name: "x", Version: "latest", Ecosystem: "npm"}, []string{verdict.NoteVersionUnparsable}, 0},
		{"strange version in a list", inventory.Package{Name: "x", Version: "weird", Ecosystem: "npm"}, []string{verdict.NoteVersionUnparsable}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Twice in the image and asked twice: one note, remembered or not.
			for range 2 {
				findings, notes := match.Match(db, inventory.Image{Packages: []inventory.Package{tt.pkg, tt.pkg}})
				var codes []string
				for _, n := range notes {
					codes = append(codes, n.Code)
					if tt.pkg.Name != "" && !strings.Contains(n.Message, tt.pkg.Name) {
						t.Errorf("message %q does not name the package", n.Message)
					}
				}
				if diff := cmp.Diff(codes, tt.codes); diff != "" {
					t.Errorf("codes (-got +want):\n%s", diff)
				}
				if len(findings) != tt.hits {
					t.Errorf("findings = %v, want %d", findings, tt.hits)
				}
			}
		})
	}
}

func TestMatchImage(t *testing.T) {
	db := database(t,
		record("CVE-2024-0001", statement("npm", "x", "SEMVER", "introduced 0"), `"severity":[`+low31+`]`),
		record("CVE-2024-0002", statement("npm", "x", "SEMVER", "introduced 0"), `"severity":[`+critical31+`]`),
		record("CVE-2024-0003", statement("Debian:12", "src", "ECOSYSTEM", "introduced 0")),
		record("CVE-2024-0004", statement("PyPI", "p", "ECOSYSTEM", "introduced 0")),
	)
	layers := []verdict.Layer{{Digest: "sha256:0", CreatedBy: "base"}, {Index: 1, Digest: "sha256:1", CreatedBy: "RUN npm"}}
	img := inventory.Image{Layers: layers, Packages: []inventory.Package{
		{Type: "deb", Name: "bin", Version: "1", Source: verdict.Source{Name: "src"}, Ecosystem: "Debian:12", PURL: "pkg:deb/bin"},
		{Type: "deb", Name: "lib", Version: "1", Source: verdict.Source{Name: "src"}, Ecosystem: "Debian:12", PURL: "pkg:deb/lib"},
		{Type: "npm", Name: "x", Version: "1.0.0", Ecosystem: "npm", PURL: "pkg:npm/x@1.0.0", Layer: 1, Location: "a"},
		{Type: "npm", Name: "x", Version: "1.0.0", Ecosystem: "npm", PURL: "pkg:npm/x@1.0.0", Layer: 1, Location: "b"},
		{Type: "npm", Name: "x", Version: "1.0.0", Ecosystem: "npm", PURL: "pkg:npm/x@1.0.0", Layer: 99},
		{Type: "pypi", Name: "p", Version: "1.0", Ecosystem: "PyPI", OwnedBy: "bin"},
	}}
	type row struct {
		ID, Package string
		Layer       verdict.LayerRef
	}
	one := verdict.LayerRef{Index: 1, Digest: "sha256:1", CreatedBy: "RUN npm"}
	base := verdict.LayerRef{Digest: "sha256:0", CreatedBy: "base"}
	want := []row{
		{"CVE-2024-0002", "pkg:npm/x@1.0.0", one},
		{"CVE-2024-0002", "pkg:npm/x@1.0.0", verdict.LayerRef{}},
		{"CVE-2024-0001", "pkg:npm/x@1.0.0", one},
		{"CVE-2024-0001", "pkg:npm/x@1.0.0", verdict.LayerRef{}},
		{"CVE-2024-0003", "pkg:deb/bin", base},
		{"CVE-2024-0003", "pkg:deb/lib", base},
	}
	findings, notes := match.Match(db, img)
	if len(notes) > 0 {
		t.Errorf("notes = %v", notes)
	}
	var got []row
	for _, f := range findings {
		got = append(got, row{f.ID, f.Package, f.Layer})
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("findings (-got +want):\n%s", diff)
	}
	again, _ := match.Match(db, img)
	if diff := cmp.Diff(again, findings); diff != "" {
		t.Errorf("second time (-got +want):\n%s", diff)
	}
}

func TestMatchOwnedByUncoveredDistribution(t *testing.T) {
	db := database(t, record("A-1", statement("PyPI", "p", "ECOSYSTEM", "introduced 0")))
	findings, _ := match.Match(db, inventory.Image{Packages: []inventory.Package{
		{Type: "rpm", Name: "python3-p", Version: "1-1", Ecosystem: "Fedora:40"},
		{Type: "pypi", Name: "p", Version: "1.0", Ecosystem: "PyPI", OwnedBy: "python3-p"},
	}})
	if len(findings) != 1 {
		t.Errorf("findings = %v, want one: nobody else speaks for the package", findings)
	}
}

func TestSummarise(t *testing.T) {
	scored := func(s verdict.Severity, score float64) verdict.Finding {
		return verdict.Finding{Severity: s, CVSS: &verdict.CVSS{Score: score}}
	}
	findings := []verdict.Finding{
		scored(verdict.Critical, 9.8), scored(verdict.High, 7), scored(verdict.Medium, 6.9), scored(verdict.Low, 3.9),
		scored(verdict.Negligible, 9.8),
		{Severity: verdict.Critical},
		{Severity: verdict.High, FixedVersion: "1"},
		{Severity: verdict.Medium},
		{Severity: verdict.Low},
		{Severity: verdict.Negligible},
		{Severity: verdict.Unknown},
	}
	want := verdict.Summary{
		Critical: 2, High: 2, Medium: 2, Low: 2, Negligible: 2, Unknown: 1, Total: 11, Fixable: 1,
		MSR: verdict.MSRSummary{Critical: 4, Major: 2, Minor: 2},
	}
	if diff := cmp.Diff(match.Summarise(findings), want); diff != "" {
		t.Errorf("summary (-got +want):\n%s", diff)
	}
}

func FuzzMatch(f *testing.F) {
	db := database(f, record("A-1", statement("npm", "x", "SEMVER", "introduced 0, fixed 2.0.0")),
		record("A-2", statement("Debian:12", "x", "ECOSYSTEM", "introduced 0, fixed 1:2~")),
		record("A-3", statement("Alpine:v3.20", "x", "ECOSYSTEM", "introduced 0, fixed 2-r0")),
		record("A-4", statement("PyPI", "x", "ECOSYSTEM", "introduced 0, fixed 2", `"versions":["1"]`)),
		record("A-5", statement("Maven", "x", "ECOSYSTEM", "introduced 0, fixed 2")),
		record("A-6", statement("Red Hat:a:1::b", "x", "ECOSYSTEM", "introduced 0, fixed 2-1")))
	for _, seed := range [][]string{
		{"npm", "npm", "x", "1.0.0", ""},
		{"deb", "Debian:12", "x", "1:1~", "1:a:b"},
		{"apk", "Alpine:v3.20", "x", "1_p1-r0", ""},
		{"pypi", "PyPI", "X", "1.0.dev1+a", ""},
		{"maven", "Maven", "x", "1-SNAPSHOT", ""},
		{"rpm", "Red Hat:a:1", "x", "1:1-1^", "1"},
		{"golang", "Go", "go", "go1.21rc", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], 0)
	}
	f.Fuzz(func(t *testing.T, kind, ecosystem, name, version, source string, layer int) {
		img := inventory.Image{Packages: []inventory.Package{{
			Type: kind, Name: name, Version: version, Ecosystem: ecosystem, Layer: layer,
			Source: verdict.Source{Name: name, Version: source},
		}}}
		findings, notes := match.Match(db, img)
		for _, n := range notes {
			if n.Code == verdict.NoteNoDatabase {
				t.Errorf("unexpected note %v", n)
			}
		}
		again, _ := match.Match(db, img)
		if diff := cmp.Diff(again, findings); diff != "" {
			t.Errorf("second time (-got +want):\n%s", diff)
		}
	})
}
