package advisory_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// deb writes a record about x in Debian 12.
func deb(id, events string, more ...string) string {
	return `{"id":"` + id + `","modified":"` + day + `","affected":[{"package":{"ecosystem":"Debian:12","name":"x"},"ranges":[{"type":"ECOSYSTEM","events":[` +
		events + `]}]` + strings.Join(append([]string{""}, more...), ",") + `}]}`
}

// TestStatementsBeyondAVersionAreNotRead asks for what may hold for versions:
// what reaches further than they do, and what has no end.
func TestStatementsBeyondAVersionAreNotRead(t *testing.T) {
	_, db, _ := compile(t, fstest.MapFS{"Debian/all.zip": zipped(
		t,
		"fixed1.json", deb("fixed-1", `{"introduced":"0"},{"fixed":"1.0-1"}`),
		"fixed3.json", deb("fixed-3", `{"introduced":"0"},{"fixed":"3.0-1"}`),
		"last2.json", deb("last-2", `{"introduced":"0"},{"last_affected":"2.0-1"}`),
		"limit2.json", deb("limit-2", `{"introduced":"0"},{"limit":"2.0-1"}`),
		"open.json", deb("open", `{"introduced":"9"}`),
		"listed.json", deb("listed", `{"introduced":"0"},{"fixed":"0.1"}`, `"versions":["8.0-1"]`),
		"unclear.json", deb("unclear", `{"introduced":"0"},{"fixed":"<unfixed>"}`),
		"twice.json", deb("twice", `{"introduced":"0"},{"fixed":"1.0-1"},{"introduced":"4"},{"fixed":"4.0-1"}`),
		"other.json", strings.Replace(deb("other", `{"introduced":"0"}`), "Debian:12", "Debian:11", 1),
	)}, advisory.Options{})
	all := []string{"fixed-1", "fixed-3", "last-2", "limit-2", "listed", "open", "twice", "unclear"}
	for version, want := range map[string][]string{
		"0.5":    all,
		"1.0-1":  all,
		"1.0-2":  slices.DeleteFunc(slices.Clone(all), func(id string) bool { return id == "fixed-1" }),
		"2.0-1":  slices.DeleteFunc(slices.Clone(all), func(id string) bool { return id == "fixed-1" }),
		"3.5":    {"listed", "open", "twice", "unclear"},
		"10":     {"listed", "open", "unclear"},
		"<none>": all,
	} {
		list, err := db.Affected("Debian", "x")
		if err != nil || len(list) != 2 || list[1].Ecosystem != "Debian:12" {
			t.Fatalf("%v, %v, want statements about two releases", list, err)
		}
		var got []string
		for s, err := range list[1].About(advisory.NewInstalled("Debian", version)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, s.ID)
		}
		slices.Sort(got)
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", version, diff)
		}
	}
}

// TestStatementsWithOneEnd are written with that end once; as a semantic version
// it is another.
func TestStatementsWithOneEnd(t *testing.T) {
	one := func(id, kind, from string) string {
		return strings.Replace(deb(id, `{"introduced":"`+from+`"},{"fixed":"2.0"}`), "ECOSYSTEM", kind, 1)
	}
	_, db, _ := compile(t, fstest.MapFS{"Debian/all.zip": zipped(
		t, "a.json", one("a", "ECOSYSTEM", "0"), "b.json", one("b", "SEMVER", "0"), "c.json", one("c", "SEMVER", "1.5"),
		"d.json", one("d", "ECOSYSTEM", "1.5"), "e.json", one("e", "ECOSYSTEM", "0"),
		"f.json", deb("f", `{"introduced":"0"},{"fixed":"1.7"},{"introduced":"1.8"},{"last_affected":"2.0"}`),
	)}, advisory.Options{})
	for _, a := range said(t, db, "Debian", "x") {
		if to := a.Intervals[len(a.Intervals)-1].To; to != "2.0" {
			t.Errorf("%s ends at %q", a.ID, to)
		}
	}
	list, err := db.Affected("Debian", "x")
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"1.4": "abef", "1.7": "abcde", "2.0": "f", "2.1": "", "1:1.0": "b"} {
		in := advisory.NewInstalled("Debian", version)
		var got []string
		for s, err := range list[0].About(in) {
			if err != nil {
				t.Fatal(err)
			}
			if _, holds := s.Holding(in); holds {
				got = append(got, s.ID)
			}
		}
		if slices.Sort(got); strings.Join(got, "") != want {
			t.Errorf("%s: %v, want %s", version, got, want)
		}
	}
}

// TestStatementsOfSchemesWithoutATotalOrder are all read.
func TestStatementsOfSchemesWithoutATotalOrder(t *testing.T) {
	var files []string
	for i := range 3 {
		id := fmt.Sprintf("A-%d", i)
		files = append(files, id+".json", strings.Replace(deb(id, `{"introduced":"0"},{"fixed":"1.0"}`), "Debian:12", "Maven", 1))
	}
	_, db, _ := compile(t, fstest.MapFS{"Maven/all.zip": zipped(t, files...)}, advisory.Options{})
	list, err := db.Affected("Maven", "x")
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	n := 0
	for _, err := range list[0].About(advisory.NewInstalled("Maven", "2.0")) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d statements, want all 3", n)
	}
}

// TestOpenRefusesOtherFormats: what another version of the program wrote is
// made again, not misread.
func TestOpenRefusesOtherFormats(t *testing.T) {
	for _, magic := range []string{"LWADVDB2", "LWADVDB4"} {
		other := bytes.ReplaceAll(small(t), []byte("LWADVDB3"), []byte(magic))
		if err := probe(other); err == nil || !strings.Contains(err.Error(), "of this version") {
			t.Errorf("%s: %v, want an error that says so", magic, err)
		}
	}
}
