package match_test

import (
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

func TestMatchVersions(t *testing.T) {
	const list = `{"package":{"ecosystem":"PyPI","name":"x"},"ranges":[` +
		`{"type":"GIT","events":[{"introduced":"0"},{"fixed":"abc"}]},` +
		`{"type":"ECOSYSTEM","events":[{"introduced":"2"},{"fixed":"2.2"}]}],"versions":["1.0","odd version"]}`
	tests := []struct {
		name      string
		affected  string
		ecosystem string
		version   string
		hit       bool
		fixed     string
	}{
		{"below the fix", statement("npm", "x", "SEMVER", "introduced 0, fixed 1.2.0"), "npm", "1.1.9", true, "1.2.0"},
		{"at the fix", statement("npm", "x", "SEMVER", "introduced 0, fixed 1.2.0"), "npm", "1.2.0", false, ""},
		{"prerelease of the fix", statement("npm", "x", "SEMVER", "introduced 0, fixed 1.2.0"), "npm", "1.2.0-rc.1", true, "1.2.0"},
		{"before the introduction", statement("npm", "x", "SEMVER", "introduced 1.0.0, fixed 1.2.0"), "npm", "0.9.0", false, ""},
		{"at the introduction", statement("npm", "x", "SEMVER", "introduced 1.0.0, fixed 1.2.0"), "npm", "1.0.0", true, "1.2.0"},
		{"zero is below a prerelease", statement("npm", "x", "SEMVER", "introduced 0, fixed 1.2.0"), "npm", "0.0.0-alpha", true, "1.2.0"},
		{"last affected is affected", statement("npm", "x", "SEMVER", "introduced 0, last_affected 1.2.0"), "npm", "1.2.0", true, ""},
		{"after the last affected", statement("npm", "x", "SEMVER", "introduced 0, last_affected 1.2.0"), "npm", "1.2.1", false, ""},
		{"one version", statement("npm", "x", "SEMVER", "introduced 5.0.0, last_affected 5.0.0"), "npm", "5.0.0", true, ""},
		{"never fixed", statement("npm", "x", "SEMVER", "introduced 0"), "npm", "999.0.0", true, ""},
		{"unsorted events", statement("npm", "x", "SEMVER", "fixed 3.1.0, introduced 3.0.0, fixed 1.2.0, introduced 0"), "npm", "3.0.5", true, "3.1.0"},
		{"between two runs", statement("npm", "x", "SEMVER", "introduced 0, fixed 1.2.0, introduced 3.0.0, fixed 3.1.0"), "npm", "2.0.0", false, ""},
		{"first of two runs", statement("npm", "x", "SEMVER", "introduced 0, fixed 1.2.0, introduced 3.0.0, fixed 3.1.0"), "npm", "1.0.0", true, "1.2.0"},
		{"below the limit", statement("npm", "x", "SEMVER", "introduced 0, limit 2.0.0"), "npm", "1.0.0", true, ""},
		{"at the limit", statement("npm", "x", "SEMVER", "introduced 0, limit 2.0.0"), "npm", "2.0.0", false, ""},
		{"no limit", statement("npm", "x", "SEMVER", "introduced 0, limit *"), "npm", "2.0.0", true, ""},
		{"highest limit counts", statement("npm", "x", "SEMVER", "introduced 0, limit 1.0.0, limit 3.0.0"), "npm", "2.0.0", true, ""},
		{"last affected past the limit", statement("npm", "x", "SEMVER", "introduced 0, last_affected 2.0.0, limit 2.0.0"), "npm", "2.0.0", false, ""},
		{"touching runs", statement("npm", "x", "SEMVER", "introduced 0, fixed 1.0.0, introduced 1.0.0, fixed 2.0.0"), "npm", "1.5.0", true, "2.0.0"},
		{"touching runs, the later one first", statement("npm", "x", "SEMVER", "introduced 1.0.0, fixed 2.0.0, introduced 0, fixed 1.0.0"), "npm", "1.0.0", true, "2.0.0"},
		{"touching runs, past the border", statement("npm", "x", "SEMVER", "introduced 1.0.0, fixed 2.0.0, introduced 0, last_affected 1.0.0"), "npm", "1.5.0", true, "2.0.0"},
		{"empty run after another", statement("npm", "x", "SEMVER", "introduced 0, fixed 1.0.0, fixed 3.0.0, introduced 3.0.0"), "npm", "3.0.0", false, ""},
		{"last affected and fixed at once", statement("npm", "x", "SEMVER", "introduced 0, last_affected 1.0.0, fixed 1.0.0"), "npm", "1.0.0", false, ""},
		{"equal borders in two spellings", statement("PyPI", "x", "ECOSYSTEM", "introduced 1.0, fixed 2.0, introduced 0, fixed 1"), "PyPI", "1.5", true, "2.0"},
		{"empty run", statement("npm", "x", "SEMVER", "introduced 1.0.0, fixed 1.0.0"), "npm", "1.0.0", false, ""},
		{"listed", list, "PyPI", "1.0", true, ""},
		{"listed in another spelling", list, "PyPI", "1.0.0", true, ""},
		{"not listed", list, "PyPI", "1.1", false, ""},
		{"range beside a commit range", list, "PyPI", "2.1", true, "2.2"},
		{"deb tilde", statement("Debian:12", "x", "ECOSYSTEM", "introduced 0, fixed 1.0-1~deb12u2"), "Debian:12", "1.0-1~deb12u1", true, "1.0-1~deb12u2"},
		{"deb epoch", statement("Debian:12", "x", "ECOSYSTEM", "introduced 0, fixed 1:1.0-1"), "Debian:12", "9.0-1", true, "1:1.0-1"},
		{"rpm epoch 0 written", statement("Rocky Linux:9", "x", "ECOSYSTEM", "introduced 0, fixed 0:2.0-1.el9"), "Rocky Linux:9", "2.0-1.el9", false, ""},
		{"apk release", statement("Alpine:v3.20", "x", "ECOSYSTEM", "introduced 0, fixed 1.2.3-r2"), "Alpine:v3.20", "1.2.3-r1", true, "1.2.3-r2"},
		{"apk letter", statement("Alpine:v3.20", "x", "ECOSYSTEM", "introduced 0, fixed 1.1.1w-r1"), "Alpine:v3.20", "1.1.1v-r9", true, "1.1.1w-r1"},
		{"rpm kind the library lacks", statement("Azure Linux:3", "x", "ECOSYSTEM", "introduced 0, fixed 1.0-2.azl3"), "Azure Linux:3.0", "1.0-1.azl3", true, "1.0-2.azl3"},
		{"semver range of another ecosystem", statement("PyPI", "x", "SEMVER", "introduced 0, fixed 2.0.0"), "PyPI", "1.0.0", true, "2.0.0"},
		{"maven", statement("Maven", "x", "ECOSYSTEM", "introduced 2.0-beta9, fixed 2.15.0"), "Maven", "2.14.1", true, "2.15.0"},
		{"go pseudo version", statement("Go", "x", "SEMVER", "introduced 0, fixed 0.0.0-20220314234659-1baeb1ce4c0b"), "Go", "v0.0.0-20210101000000-aaaaaaaaaaaa", true, "0.0.0-20220314234659-1baeb1ce4c0b"},
		{"go incompatible", statement("Go", "x", "SEMVER", "introduced 0, fixed 2.0.0"), "Go", "v2.0.0+incompatible", false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db := database(t, record("T-1", tt.affected), record("T-2", statement("npm", "other", "SEMVER", "introduced 0"), `"aliases":["X"]`),
				record("T-3", statement(tt.ecosystem, "other", "ECOSYSTEM", "introduced 0")))
			got, notes := match.Match(db, inventory.Image{Packages: []inventory.Package{{Type: "t", Name: "x", Version: tt.version, Ecosystem: tt.ecosystem}}})
			if len(notes) > 0 {
				t.Errorf("notes = %v", notes)
			}
			if hit := len(got) == 1; hit != tt.hit {
				t.Fatalf("findings = %v, want hit %v", got, tt.hit)
			}
			if tt.hit && got[0].FixedVersion != tt.fixed {
				t.Errorf("fixed = %q, want %q", got[0].FixedVersion, tt.fixed)
			}
		})
	}
}
