package match_test

import (
	"archive/zip"
	"cmp"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/osv-scalibr/semantic"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// export gives the folder of real advisories, or skips.
func export(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("LANDWAITER_ADVISORIES")
	if dir == "" {
		tb.Skip("set LANDWAITER_ADVISORIES to a folder in OSV export layout (<ecosystem>/all.zip)")
	}
	return dir
}

func compileReal(tb testing.TB) *advisory.DB {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "advisories.db")
	info, err := advisory.Compile(tb.Context(), os.DirFS(export(tb)), path, advisory.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if info.SkippedTotal > 0 {
		tb.Errorf("skipped %d: %v", info.SkippedTotal, info.Skipped)
	}
	tb.Logf("%d records, %d packages, %d bytes, %d ranges skipped", info.Records, info.Packages, info.Size, info.RangesSkipped)
	db, err := advisory.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

type rawRecord struct {
	ID        string `json:"id"`
	Withdrawn string `json:"withdrawn"`
	Affected  []struct {
		Package struct{ Ecosystem, Name string } `json:"package"`
		Ranges  []struct {
			Type   string              `json:"type"`
			Events []map[string]string `json:"events"`
		} `json:"ranges"`
		Versions []string `json:"versions"`
	} `json:"affected"`
}

func rawRecords(tb testing.TB) map[string]rawRecord {
	tb.Helper()
	zips, err := filepath.Glob(filepath.Join(export(tb), "*", "all.zip"))
	if err != nil {
		tb.Fatal(err)
	}
	records := map[string]rawRecord{}
	for _, path := range zips {
		z, err := zip.OpenReader(path)
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				tb.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				tb.Fatal(err)
			}
			var rec rawRecord
			if err := json.Unmarshal(data, &rec); err != nil {
				tb.Fatal(err)
			}
			records[rec.ID] = rec
		}
		_ = z.Close()
	}
	return records
}

// affects is the schema's evaluation, word by word, with nothing of ours.
func affects(ranges []map[string]string, compare func(a string) (int, bool), less func(a, b string) bool) bool {
	events := slices.Clone(ranges)
	text := func(e map[string]string) string {
		return cmp.Or(e["introduced"], e["fixed"], e["last_affected"], e["limit"])
	}
	slices.SortStableFunc(events, func(a, b map[string]string) int {
		switch {
		case less(text(a), text(b)):
			return -1
		case less(text(b), text(a)):
			return 1
		default:
			return 0
		}
	})
	vulnerable, limited, before := false, false, false
	for _, e := range events {
		order, ok := compare(text(e)) // of the version to the event
		if !ok || strings.HasPrefix(text(e), "nightly") {
			return false
		}
		switch {
		case e["introduced"] != "" && order >= 0:
			vulnerable = true
		case e["fixed"] != "" && order >= 0:
			vulnerable = false
		case e["last_affected"] != "" && order > 0:
			vulnerable = false
		case e["limit"] != "":
			limited = true
			before = before || order < 0
		}
	}
	return vulnerable && (!limited || before)
}

func naive(records map[string]rawRecord, ecosystem, name, version string) []string {
	var out []string
	v, err := semantic.Parse(version, ecosystem)
	if err != nil {
		return nil
	}
	compare := func(s string) (int, bool) {
		if s == "0" {
			return 1, true
		}
		order, err := v.CompareStr(s)
		return order, err == nil
	}
	less := func(a, b string) bool {
		if a == "0" || b == "0" {
			return a == "0" && b != "0"
		}
		parsed, err := semantic.Parse(a, ecosystem)
		if err != nil {
			return false
		}
		order, err := parsed.CompareStr(b)
		return err == nil && order < 0
	}
	for id, r := range records {
		if r.Withdrawn != "" {
			continue
		}
		hit := false
		for _, a := range r.Affected {
			if a.Package.Ecosystem != ecosystem || a.Package.Name != name {
				continue
			}
			for _, s := range a.Versions {
				order, ok := compare(s)
				hit = hit || s == version || (ok && order == 0)
			}
			for _, g := range a.Ranges {
				hit = hit || (g.Type != "GIT" && affects(g.Events, compare, less))
			}
		}
		if hit {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// borders gives package versions worth asking: those the records name, and
// their neighbours.
func borders(records map[string]rawRecord) []inventory.Package {
	var out []inventory.Package
	for _, r := range records {
		for _, a := range r.Affected {
			var versions []string
			for _, g := range a.Ranges {
				if g.Type == "GIT" {
					continue
				}
				for _, e := range g.Events {
					for _, v := range e {
						versions = append(versions, v, v+".1")
					}
				}
			}
			if len(a.Versions) > 0 {
				versions = append(versions, a.Versions[0], a.Versions[len(a.Versions)/2], a.Versions[len(a.Versions)-1])
			}
			for _, v := range versions {
				out = append(out, inventory.Package{Name: a.Package.Name, Version: v, Ecosystem: a.Package.Ecosystem})
			}
		}
	}
	slices.SortFunc(out, func(a, b inventory.Package) int {
		return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
	return slices.CompactFunc(out, func(a, b inventory.Package) bool {
		return a.Ecosystem == b.Ecosystem && a.Name == b.Name && a.Version == b.Version
	})
}

func TestMatchAgreesWithNaiveEvaluation(t *testing.T) {
	records := rawRecords(t)
	db := compileReal(t)
	all := borders(records)
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	asked, affected := 0, 0
	for _, p := range all {
		if asked == 1500 {
			break
		}
		family := advisory.Family(p.Ecosystem)
		// Names and versions that are rewritten before they are compared have
		// their own tests; VSCode's order is ours.
		if advisory.NormalName(family, p.Name) != p.Name || strings.Contains(p.Ecosystem, "::") || family == "VSCode" ||
			(family == "Go" && strings.HasPrefix(p.Version, "v")) || !db.Covers(p.Ecosystem) {
			continue
		}
		findings, notes := match.Match(db, inventory.Image{Packages: []inventory.Package{p}})
		if len(notes) > 0 {
			continue
		}
		asked++
		var got []string
		for _, f := range findings {
			got = append(got, f.Advisories...)
		}
		slices.Sort(got)
		got = slices.Compact(got)
		affected += min(len(got), 1)
		if diff := gocmp.Diff(got, naive(records, p.Ecosystem, p.Name, p.Version)); diff != "" {
			t.Errorf("%s %s %s (-match +naive):\n%s", p.Ecosystem, p.Name, p.Version, diff)
		}
	}
	t.Logf("asked %d, affected %d", asked, affected)
	if asked < 500 || affected < asked/10 {
		t.Errorf("asked %d, affected %d: too few to mean anything", asked, affected)
	}
}

func TestDebianOrderAgreesWithDpkg(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("dpkg is not installed; any Debian machine has it")
	}
	var versions []string
	for _, p := range borders(rawRecords(t)) {
		if advisory.Family(p.Ecosystem) == "Debian" && p.Version != "0" && p.Version[0] >= '0' && p.Version[0] <= '9' {
			versions = append(versions, p.Version, p.Version+"~", p.Version+"+b1", "1:"+p.Version[strings.Index(p.Version, ":")+1:])
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		a, b := versions[random.IntN(len(versions))], versions[random.IntN(len(versions))]
		if random.IntN(2) == 0 {
			i := random.IntN(len(versions) - 4)
			a, b = versions[i], versions[i+random.IntN(4)]
		}
		want := exec.CommandContext(t.Context(), dpkg, "--compare-versions", a, "lt", b).Run() == nil
		va, vb := advisory.NewInstalled("Debian", a), advisory.NewInstalled("Debian", b)
		if !va.Comparable() || !vb.Comparable() {
			t.Errorf("%s, %s: cannot be compared", a, b)
			continue
		}
		if got := va.Compare(vb) < 0; got != want {
			t.Errorf("%s lt %s = %v, want %v", a, b, got, want)
		}
	}
}
