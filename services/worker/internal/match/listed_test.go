package match_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// TestMatchListed looks at files on the user's list: they are findings with and
// without a database, whoever owns them, beside what advisories say of them.
func TestMatchListed(t *testing.T) {
	listing := &inventory.Listing{Hash: "sha256:0123456789abcdef0123", Severity: verdict.High, Comment: "known bad"}
	img := inventory.Image{
		Layers: []verdict.Layer{{Digest: "sha256:a"}},
		Packages: []inventory.Package{
			{Type: "deb", Name: "bin", Version: "1", Ecosystem: "Debian:12"},
			{Type: "generic", Name: "miner", Version: "1", Evidence: inventory.Hashed, PURL: "pkg:generic/miner@1", OwnedBy: "bin", Listed: listing},
			{Type: "generic", Name: "named", Version: "1", Evidence: inventory.Hashed},
			{Type: "npm", Name: "x", Version: "1.0.0", Evidence: inventory.Hashed, Ecosystem: "npm", PURL: "pkg:npm/x@1.0.0", Listed: listing},
		},
	}
	type row struct{ ID, Package, Summary string }
	ours := []row{
		{"FINGERPRINT-0123456789abcdef", "pkg:generic/miner@1", "known bad"},
		{"FINGERPRINT-0123456789abcdef", "pkg:npm/x@1.0.0", "known bad"},
	}
	db := database(t, record("CVE-2024-0001", statement("npm", "x", "SEMVER", "introduced 0"), `"severity":[`+critical31+`]`),
		record("CVE-2024-0002", statement("Debian:12", "y", "ECOSYSTEM", "introduced 0")))
	for _, tt := range []struct {
		name  string
		got   func() ([]verdict.Finding, []verdict.Note)
		want  []row
		notes int
	}{
		{"no database", func() ([]verdict.Finding, []verdict.Note) { return match.Match(nil, img) }, ours, 1},
		{"database", func() ([]verdict.Finding, []verdict.Note) { return match.Match(db, img) }, append([]row{{"CVE-2024-0001", "pkg:npm/x@1.0.0", ""}}, ours...), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			findings, notes := tt.got()
			var got []row
			for _, f := range findings {
				got = append(got, row{f.ID, f.Package, f.Summary})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(notes) != tt.notes {
				t.Errorf("notes = %v", notes)
			}
		})
	}
}

// TestMatchSaysOnce has an image whose merge noted that its distribution is not
// supported: the packages of the distribution are not counted again.
func TestMatchSaysOnce(t *testing.T) {
	db := database(t, record("A-1", statement("npm", "x", "SEMVER", "introduced 0")))
	img := inventory.Image{
		Notes: []verdict.Note{{Code: verdict.NoteUnsupportedOS}},
		Packages: []inventory.Package{
			{Type: "rpm", Name: "a", Version: "1-1"},
			{Type: "conda", Name: "openssl", Version: "3"},
		},
	}
	_, notes := match.Match(db, img)
	if len(notes) != 1 || notes[0].Code != verdict.NoteEcosystemNotCovered ||
		notes[0].Message != "no advisory ecosystem is known for packages of type conda (1 package: openssl 3)" {
		t.Errorf("notes = %v", notes)
	}
	img.Notes = nil
	if _, notes := match.Match(db, img); len(notes) != 2 {
		t.Errorf("without the note: %v", notes)
	}
}
