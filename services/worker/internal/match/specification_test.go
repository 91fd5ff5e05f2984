package match_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// askable bounds the packages of a family that are held against an export.
const askable = 5000

// TestMatchFollowsTheSpecification holds random packages against a whole export
// of real records, once with the compiled database and once by the schema's
// text. LANDWAITER_OSV names a large export, LANDWAITER_ADVISORIES a small one.
func TestMatchFollowsTheSpecification(t *testing.T) {
	dir := cmp.Or(os.Getenv("LANDWAITER_OSV"), os.Getenv("LANDWAITER_ADVISORIES"))
	if dir == "" {
		t.Skip("set LANDWAITER_OSV or LANDWAITER_ADVISORIES to a folder in OSV export layout (<ecosystem>/all.zip)")
	}
	records := rawRecordsOf(t, dir)
	asked, affected := agree(t, compileFrom(t, dir), records, someInstalled(records, rand.New(rand.NewPCG(1, 2))))
	t.Logf("%d packages, %d affected, against %d records", asked, affected, len(records))
	if asked < 2000 || affected < asked/10 {
		t.Errorf("%d packages, %d affected: too few to mean anything", asked, affected)
	}
}

// TestMatchFollowsTheSpecificationOfStrangeRecords makes records that sources
// seldom write: limits, events in any order, of any kind and at one version.
func TestMatchFollowsTheSpecificationOfStrangeRecords(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var texts []string
	records := map[string]rawRecord{}
	for n := range 1500 {
		text := strangeRecord(fmt.Sprintf("S-%d", n), random)
		var r rawRecord
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		texts, records[r.ID] = append(texts, text), r
	}
	var packages []installed
	for _, ecosystem := range strangeEcosystems() {
		for n := range 300 {
			packages = append(packages, installed{ecosystem: ecosystem, name: fmt.Sprintf("p%d", n), version: strangeVersion(random)})
		}
	}
	if asked, affected := agree(t, database(t, texts...), records, packages); affected < asked/10 {
		t.Errorf("%d packages, %d affected: too few to mean anything", asked, affected)
	}
}

func strangeEcosystems() []string { return []string{"npm", "PyPI", "Debian:12"} }

func strangeVersion(random *rand.Rand) string {
	return fmt.Sprintf("%d.%d.0", random.IntN(3), random.IntN(3)) + []string{"", "", "-1"}[random.IntN(3)]
}

func strangeRecord(id string, random *rand.Rand) string {
	ecosystem := strangeEcosystems()[random.IntN(3)]
	kinds := map[string][]string{"npm": {"SEMVER"}, "PyPI": {"ECOSYSTEM", "SEMVER", "GIT"}, "Debian:12": {"ECOSYSTEM"}}[ecosystem]
	var ranges, versions []string
	for range 1 + random.IntN(2) {
		var events []string
		for range 1 + random.IntN(6) {
			kind := []string{"introduced", "introduced", "fixed", "fixed", "last_affected", "limit"}[random.IntN(6)]
			at := strangeVersion(random)
			switch {
			case kind == "introduced" && random.IntN(3) == 0:
				at = "0"
			case kind == "limit" && random.IntN(4) == 0:
				at = "*"
			}
			events = append(events, fmt.Sprintf("{%q:%q}", kind, at))
		}
		ranges = append(ranges, fmt.Sprintf(`{"type":%q,"events":[%s]}`, kinds[random.IntN(len(kinds))], strings.Join(events, ",")))
	}
	for range random.IntN(3) {
		versions = append(versions, fmt.Sprintf("%q", strangeVersion(random)))
	}
	withdrawn := ""
	if random.IntN(10) == 0 {
		withdrawn = `"withdrawn":"2024-01-02T03:04:05Z",`
	}
	return fmt.Sprintf(`{"id":%q,%s"affected":[{"package":{"ecosystem":%q,"name":"p%d"},"ranges":[%s],"versions":[%s]}]}`,
		id, withdrawn, ecosystem, random.IntN(300), strings.Join(ranges, ","), strings.Join(versions, ","))
}

// agree compares both evaluations.
func agree(t *testing.T, db *advisory.DB, records map[string]rawRecord, packages []installed) (asked, affected int) {
	t.Helper()
	want := naive(records, packages)
	wrong := 0
	for i, p := range packages {
		findings, notes := match.Match(db, inventory.Image{Packages: []inventory.Package{{
			Name: p.name, Version: asInstalled(p), Ecosystem: p.ecosystem, Module: p.module,
		}}})
		var got []string
		for _, f := range findings {
			got = append(got, f.Advisories...)
			if f.FixedVersion == "" {
				continue
			}
			if order, err := compareVersions(p.ecosystem, p.version, f.FixedVersion); err != nil || order >= 0 {
				t.Errorf("%+v: %s is fixed in %s", p, f.ID, f.FixedVersion)
			}
		}
		slices.Sort(got)
		got = slices.Compact(got)
		asked++
		affected += min(len(got), 1)
		if !slices.Equal(got, want[i]) {
			if wrong++; wrong <= 20 {
				t.Errorf("%+v: matched %v, by the text %v; notes %v", p, less(got, want[i]), less(want[i], got), notes)
			}
		}
	}
	if wrong > 20 {
		t.Errorf("%d more packages differ", wrong-20)
	}
	return asked, affected
}

// asInstalled writes a version as images have it.
func asInstalled(p installed) string {
	if p.ecosystem == "Go" && !strings.HasPrefix(p.version, "v") {
		return "v" + p.version
	}
	return p.version
}

func less(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(id string) bool { return slices.Contains(b, id) })
}

// someInstalled draws packages that records name, in versions at, before and
// after the ends of their ranges.
func someInstalled(records map[string]rawRecord, random *rand.Rand) []installed {
	versions := map[installed][]string{}
	for _, id := range slices.Sorted(maps.Keys(records)) {
		for _, a := range records[id].Affected {
			p := installed{ecosystem: a.Package.Ecosystem, name: a.Package.Name, module: a.Specific.Module}
			if p.ecosystem == "" {
				continue
			}
			versions[p] = append(versions[p], a.Versions[:min(len(a.Versions), 3)]...)
			for _, g := range a.Ranges {
				for _, e := range g.Events {
					if v := cmp.Or(e["introduced"], e["fixed"], e["last_affected"]); g.Type != "GIT" {
						versions[p] = append(versions[p], v)
					}
				}
			}
		}
	}
	order := func(a, b installed) int {
		return cmp.Or(strings.Compare(a.ecosystem, b.ecosystem), strings.Compare(a.name, b.name), strings.Compare(a.module, b.module))
	}
	var out []installed
	for _, p := range slices.SortedFunc(maps.Keys(versions), order) {
		known := versions[p]
		if len(known) == 0 { // only named by ranges over commits: no version of it is affected
			known = []string{"1.0"}
		}
		for range 4 {
			p.version = near(p.ecosystem, known[random.IntN(len(known))], random)
			if p.module != "" && random.IntN(2) == 0 {
				p.module += ":8060020240101:abcd"
			}
			out = append(out, p)
		}
	}
	random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	asked := map[string]int{}
	return slices.DeleteFunc(out, func(p installed) bool {
		family := advisory.Family(p.ecosystem)
		asked[family]++
		return asked[family] > askable
	})
}

// near changes a version a little, in ways its ecosystem's packages have.
func near(ecosystem, v string, random *rand.Rand) string {
	if v == "0" {
		v = fmt.Sprintf("%d.%d", random.IntN(4), random.IntN(10))
	}
	var endings []string
	switch family := advisory.Family(ecosystem); family {
	case "Debian", "Ubuntu":
		endings = []string{"~", "+b1", "~bpo12+1", ".1", "+deb12u1"}
	case "Alpine":
		endings = []string{"_p1", "_rc1", ".1", "a"}
		if i := strings.LastIndex(v, "-r"); i > 0 {
			endings = []string{"0", "1"}
		}
	case "AlmaLinux", "Rocky Linux", "Red Hat", "SUSE", "Mageia":
		endings = []string{"~1", "^1", ".1", "_2"}
	case "PyPI":
		endings = []string{".dev1", "rc1", ".post1", "+local.1", ".0", ".1"}
	case "Maven":
		endings = []string{"-SNAPSHOT", ".Final", "-jre", ".RC1", ".0", ".1"}
	case "RubyGems":
		endings = []string{".pre", ".rc1", ".0", ".1"}
	case "CRAN":
		endings = []string{".1", "-1", ".0"}
	case "NuGet", "Packagist", "Pub":
		endings = []string{"-beta1", "-rc.1", "+build"}
	default:
		endings = []string{"-rc.1", "-0", "+build", "-alpha"}
	}
	if random.IntN(2) == 0 {
		return v
	}
	return v + endings[random.IntN(len(endings))]
}
