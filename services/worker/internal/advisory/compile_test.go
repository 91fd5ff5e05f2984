package advisory_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

const day = "2024-01-02T03:04:05Z"

// npm is a record about one npm package.
func npm(id, modified, name string, more ...string) string {
	return fmt.Sprintf(`{"id":%q,"modified":%q,"affected":[{"package":{"ecosystem":"npm","name":%q},`+
		`"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2.0.0"}]}],"versions":["1.0.0","odd"]}]%s}`,
		id, modified, name, strings.Join(append([]string{""}, more...), ","))
}

// zipped packs entries, given as name and content in turn.
func zipped(tb testing.TB, entries ...string) *fstest.MapFile {
	tb.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.Create(entries[i])
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(entries[i+1])); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return &fstest.MapFile{Data: buf.Bytes()}
}

func compile(tb testing.TB, source fstest.MapFS, opts advisory.Options) (advisory.Info, *advisory.DB, string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "advisories.db")
	info, err := advisory.Compile(tb.Context(), source, path, opts)
	if err != nil {
		tb.Fatal(err)
	}
	db, err := advisory.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return info, db, path
}

// said is all that is said about a package.
func said(tb testing.TB, db *advisory.DB, family, name string) (all []advisory.Affected) {
	tb.Helper()
	list, err := db.Affected(family, name)
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range list {
		for a, err := range s.All() {
			if err != nil {
				tb.Fatal(err)
			}
			all = append(all, a)
		}
	}
	return all
}

func TestCompile(t *testing.T) {
	long := strings.Repeat("é", 500)
	source := fstest.MapFS{
		"npm/all.zip": zipped(
			t,
			"A-1.json", npm("A-1", day, "x", `"summary":"`+long+`"`, `"aliases":["CVE-2024-0001"]`),
			"A-2.json", npm("A-2", "2024-02-03T00:00:00.5Z", "x", `"withdrawn":"2024-02-03T00:00:00Z"`),
			"broken.json", `{"id":`,
			"none.json", `{"modified":"`+day+`"}`,
			"A-3.json", npm("A-3", "yesterday", "x"),
			"README", "not a record",
			"array.json", `[]`,
			"B-1.json", `{"id":"B-1","modified":"`+day+`","affected":[{"package":{"ecosystem":"Debian:12","name":"x"},"versions":["1"]},`+
				`{"package":{"ecosystem":"Maven","name":"x:y"},"versions":["1"]}]}`,
		),
		"Debian/all.zip":    &fstest.MapFile{Data: zipped(t, "D-1.json", `{"id":"D-1","modified":"`+day+`"}`).Data},
		"Debian:12/all.zip": zipped(t, "OLD-1.json", npm("OLD-1", day, "x")),
		"GIT/all.zip":       zipped(t, "G-1.json", npm("G-1", day, "x")),
		"ecosystems.txt":    &fstest.MapFile{Data: []byte("npm\n")},
	}
	info, db, path := compile(t, source, advisory.Options{})
	if got, want := info.UpdatedAt, time.Date(2024, 2, 3, 0, 0, 0, 5e8, time.UTC); !got.Equal(want) {
		t.Errorf("updated at %v, want %v", got, want)
	}
	if info.Records != 3 || info.Withdrawn != 1 || info.SkippedTotal != 4 {
		t.Errorf("records %d, withdrawn %d, skipped %v, want 3, 1 and 4", info.Records, info.Withdrawn, info.Skipped)
	}
	if diff := cmp.Diff(db.Ecosystems(), []string{"Debian", "npm"}); diff != "" {
		t.Errorf("ecosystems (-got +want):\n%s", diff)
	}
	for ecosystem, want := range map[string]bool{"npm": true, "Debian:12": true, "Debian:13": false, "Debian": false, "Maven": false, "GIT": false} {
		if got := db.Covers(ecosystem); got != want {
			t.Errorf("covers %s = %v, want %v", ecosystem, got, want)
		}
	}
	if v := db.Version(); v.Version != info.Version || !v.UpdatedAt.Equal(info.UpdatedAt) || !strings.HasPrefix(v.Version, "sha256:") {
		t.Errorf("version = %v, want that of %v", v, info)
	}
	list := said(t, db, "npm", "x")
	want := []advisory.Affected{{
		ID: "A-1", Ecosystem: "npm", Intervals: []advisory.Interval{{Semver: true, To: "2.0.0", End: advisory.FixedAt}}, Versions: []string{"odd"},
	}}
	if diff := cmp.Diff(list, want); diff != "" {
		t.Errorf("affected (-got +want):\n%s", diff)
	}
	r, found, err := db.Record("A-1")
	if err != nil || !found || len([]rune(r.Summary)) != advisory.MaxSummary {
		t.Errorf("record = %v, %v, %v, want one with a shortened summary", r, found, err)
	}
	if _, found, err = db.Record("A-2"); found || err != nil {
		t.Errorf("withdrawn record is there: %v", err)
	}
	stat, err := os.Stat(path)
	if err != nil || stat.Size() != info.Size {
		t.Errorf("size = %v, want %d (%v)", stat, info.Size, err)
	}
}

func TestCompileTakesTheNewestState(t *testing.T) {
	older := npm("A-1", day, "x", `"summary":"older"`)
	newer := npm("A-1", "2024-01-02T03:04:05.000000001Z", "x", `"summary":"newer"`)
	for _, zips := range [][2]string{{older, newer}, {newer, older}} {
		_, db, _ := compile(t, fstest.MapFS{
			"Hex/all.zip": zipped(t, "A-1.json", zips[0]), "npm/all.zip": zipped(t, "A-1.json", zips[1]),
		}, advisory.Options{})
		if r, _, err := db.Record("A-1"); err != nil || r.Summary != "newer" {
			t.Errorf("summary = %q, want newer (%v)", r.Summary, err)
		}
	}
}

func TestCompileIsDeterministic(t *testing.T) {
	entries := []string{"A-1.json", npm("A-1", day, "x"), "A-2.json", npm("A-2", day, "y"), "A-3.json", npm("A-3", day, "z", `"aliases":["CVE-2024-0001"]`)}
	first, _, pathA := compile(t, fstest.MapFS{"npm/all.zip": zipped(t, entries...)}, advisory.Options{})
	second, _, pathB := compile(t, fstest.MapFS{"npm/all.zip": zipped(t, append(entries[4:6:6], entries[:4]...)...)}, advisory.Options{})
	if first.Version != second.Version {
		t.Errorf("version %s, then %s", first.Version, second.Version)
	}
	a, errA := os.ReadFile(pathA)
	b, errB := os.ReadFile(pathB)
	if err := errors.Join(errA, errB); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the files differ (%v)", err)
	}
	entries[1] = npm("A-1", day, "other")
	third, _, _ := compile(t, fstest.MapFS{"npm/all.zip": zipped(t, entries...)}, advisory.Options{})
	if third.Version == first.Version {
		t.Error("same version for other content")
	}
}

// What does not fit into memory is sorted on disk, with the same outcome.
func TestCompileInLittleMemory(t *testing.T) {
	var entries []string
	for i := range 200 {
		id := fmt.Sprintf("A-%d", i*7%200)
		entries = append(entries, id+".json", npm(id, day, fmt.Sprintf("p%d", i%30), fmt.Sprintf(`"aliases":["CVE-2024-%04d"]`, i%50),
			`"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`))
	}
	source := fstest.MapFS{"npm/all.zip": zipped(t, entries...), "npm/newer.zip": zipped(t, "A-7.json", npm("A-7", "2024-05-01T00:00:00Z", "newer"))}
	var files [2][]byte
	for i, memory := range []int{0, 500} {
		_, db, path := compile(t, source, advisory.Options{Limits: advisory.Limits{Memory: memory}})
		if list := said(t, db, "npm", "newer"); len(list) != 1 {
			t.Errorf("what is newer: %v", list)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = data
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the files differ")
	}
}

func TestSorter(t *testing.T) {
	var pairs, want []string
	for i := range 1000 {
		pairs = append(pairs, fmt.Sprintf("k%03d", i*389%100), strings.Repeat("v", i%9)+strconv.Itoa(i))
	}
	for k := range 100 { // in the order they were added in
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == fmt.Sprintf("k%03d", k) {
				want = append(want, pairs[i], pairs[i+1])
			}
		}
	}
	for _, most := range []int{1, 300, 1 << 20} {
		dir := t.TempDir()
		got, err := advisory.Sorted(dir, most, pairs...)
		if diff := cmp.Diff(got, want); err != nil || diff != "" {
			t.Errorf("memory %d: %v (-got +want):\n%s", most, err, diff)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	good := fstest.MapFS{"npm/all.zip": zipped(t, "A-1.json", npm("A-1", day, "x"), "A-2.json", npm("A-2", day, "x"))}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	tests := []struct {
		name   string
		ctx    context.Context //nolint:containedctx // a table
		source fstest.MapFS
		opts   advisory.Options
	}{
		{"nothing there", t.Context(), fstest.MapFS{}, advisory.Options{}},
		{"family missing", t.Context(), good, advisory.Options{Ecosystems: []string{"npm", "Debian"}}},
		{"no zip", t.Context(), fstest.MapFS{"npm/all.zip": {Data: []byte("no zip")}}, advisory.Options{}},
		{"nothing usable", t.Context(), fstest.MapFS{"npm/all.zip": zipped(t, "x.json", "{}")}, advisory.Options{}},
		{"too many records", t.Context(), good, advisory.Options{Limits: advisory.Limits{Records: 1}}},
		{"too many bytes", t.Context(), good, advisory.Options{Limits: advisory.Limits{TotalBytes: 300}}},
		{"stopped", stopped, good, advisory.Options{}},
		{"no KEV", t.Context(), good, advisory.Options{KEV: "/nowhere"}},
		{"no EPSS", t.Context(), good, advisory.Options{EPSS: "/nowhere"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "advisories.db")
			if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := advisory.Compile(tt.ctx, tt.source, path, tt.opts); err == nil {
				t.Error("no error")
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != "before" {
				t.Errorf("the old file is %q (%v)", data, err)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Errorf("left behind: %v (%v)", files, err)
			}
		})
	}
}

func TestCompileSkipsLargeRecords(t *testing.T) {
	source := fstest.MapFS{"npm/all.zip": zipped(
		t, "A-1.json", npm("A-1", day, "x"), "A-2.json", npm("A-2", day, "x", `"details":"`+strings.Repeat("a", 5000)+`"`))}
	info, _, _ := compile(t, source, advisory.Options{Limits: advisory.Limits{RecordBytes: 2000, Skips: 1}})
	if info.Records != 1 || len(info.Skipped) != 1 || info.Skipped[0].ID != "A-2" {
		t.Errorf("records %d, skipped %v, want 1 and A-2", info.Records, info.Skipped)
	}
}

func TestCompileReal(t *testing.T) {
	first := filepath.Join(t.TempDir(), "a")
	a, err := advisory.Compile(t.Context(), os.DirFS(export(t)), first, advisory.Options{Ecosystems: []string{"npm", "Hex"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := advisory.Compile(t.Context(), os.DirFS(export(t)), first, advisory.Options{Ecosystems: []string{"Hex", "npm"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" || a.SkippedTotal > 0 {
		t.Errorf("second time (-first +second):\n%s, skipped %v", diff, a.Skipped)
	}
}
