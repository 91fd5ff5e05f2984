package match_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

func compare(t *testing.T, older, newer *advisory.DB) (advisory.Keys, bool) {
	t.Helper()
	changed, all, err := advisory.Compare(t.Context(), older, newer)
	if err != nil {
		t.Fatal(err)
	}
	return changed, all
}

func one(name string) inventory.Image {
	return inventory.Image{Packages: []inventory.Package{
		{Type: "npm", Name: name, Version: "1.0.0", Ecosystem: "npm", PURL: "pkg:npm/" + name + "@1.0.0"},
	}}
}

// What may change the answer about a package names it; what does not, does not.
func TestCompare(t *testing.T) {
	about := func(name, fixed string) string {
		return statement("npm", name, "SEMVER", "introduced 0, fixed "+fixed)
	}
	const vector = `"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`
	base := []string{record("A-1", about("x", "2.0.0"), `"aliases":["CVE-2024-0001","B-1"]`), record("A-2", about("y", "2.0.0"))}
	tests := []struct {
		name  string
		newer []string
		x, y  bool
	}{
		{"nothing", base, false, false},
		{"other fix", []string{record("A-1", about("x", "3.0.0"), `"aliases":["CVE-2024-0001","B-1"]`), base[1]}, true, false},
		{"record is gone", base[:1], false, true},
		{"record came", append(base[:2:2], record("A-3", about("x", "2.0.0"))), true, false},
		{"other severity", []string{base[0], record("A-2", about("y", "2.0.0"), vector)}, false, true},
		{"an alias was rated", append(base[:2:2], record("B-1", about("z", "2.0.0"), vector)), true, false},
		{"its CVE was rated", append(base[:2:2], record("C-1", about("z", "2.0.0"), vector, `"aliases":["CVE-2024-0001"]`)), true, false},
	}
	older := database(t, base...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changed, all := compare(t, older, database(t, tt.newer...))
			x, y := touches(changed, one("x")), touches(changed, one("y"))
			if all || x != tt.x || y != tt.y {
				t.Errorf("all %t, x %t, y %t; want x %t, y %t", all, x, y, tt.x, tt.y)
			}
		})
	}
	if _, all := compare(t, older, database(t, append(base[:2:2], record("D-1", statement("Debian:12", "x", "ECOSYSTEM", "introduced 0")))...)); !all {
		t.Error("a family more concerns every image")
	}
}

// Whatever two databases hold: an image that the comparison leaves out gets
// the same answer from both.
func TestCompareMissesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		older, newer := randomRecords(random), []string(nil)
		for _, r := range older {
			if random.IntN(6) > 0 {
				newer = append(newer, r)
			}
		}
		older = append(older, cover()...)
		newer = append(append(newer, randomRecords(random)[:random.IntN(3)]...), cover()...)
		a, b := database(t, unique(older)...), database(t, unique(newer)...)
		changed, all := compare(t, a, b)
		if all {
			t.Fatal("the same families, and yet all")
		}
		for n := range 12 {
			img := one(fmt.Sprintf("p%d", n))
			if touches(changed, img) {
				continue
			}
			before, notesBefore := match.Match(a, img)
			after, notesAfter := match.Match(b, img)
			if diff := cmp.Diff(before, after) + cmp.Diff(notesBefore, notesAfter); diff != "" {
				t.Fatalf("p%d was left out, and differs:\n%s\nolder %v\nnewer %v", n, diff, older, newer)
			}
		}
	}
}

// touches tells whether what changed may concern an image.
func touches(changed advisory.Keys, img inventory.Image) bool {
	queries, known := changed.Touched(match.Keys(img).Pack())
	return !known || len(queries) > 0
}

// cover keeps both databases' ecosystems the same.
func cover() []string {
	return []string{record("COVER-1", statement("npm", "cover", "SEMVER", "introduced 0"))}
}

func unique(records []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range records {
		id := r[:len(`{"id":"R-00"`)]
		if !seen[id] {
			seen[id] = true
			out = append(out, r)
		}
	}
	return out
}

// randomRecords are records about few packages that name each other and few
// CVEs, so that much hangs together.
func randomRecords(random *rand.Rand) []string {
	severities := []string{"AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}
	var out []string
	for range 4 + random.IntN(12) {
		id := fmt.Sprintf("R-%02d", random.IntN(30))
		more := []string{fmt.Sprintf(`"%s":["CVE-2024-000%d","R-%02d"]`, []string{"aliases", "upstream", "related"}[random.IntN(3)], random.IntN(8), random.IntN(30))}
		if random.IntN(2) == 0 {
			more = append(more, `"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/`+severities[random.IntN(2)]+`"}]`)
		}
		out = append(out, record(id, statement("npm", fmt.Sprintf("p%d", random.IntN(12)), "SEMVER",
			fmt.Sprintf("introduced 0, fixed %d.0.0", 1+random.IntN(4))), more...))
	}
	return out
}
