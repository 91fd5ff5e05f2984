package match_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// database compiles records, given as OSV JSON with the time left out, into an
// open database. Each lands in the zips of the families it affects.
func database(tb testing.TB, records ...string) *advisory.DB {
	tb.Helper()
	zips := map[string]*bytes.Buffer{}
	writers := map[string]*zip.Writer{}
	for _, text := range records {
		var r struct {
			ID       string
			Affected []struct{ Package struct{ Ecosystem string } }
		}
		text = strings.Replace(text, "{", `{"modified":"2024-01-02T03:04:05Z",`, 1)
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			tb.Fatalf("%s: %v", text, err)
		}
		done := map[string]bool{}
		for _, a := range r.Affected {
			family := advisory.Family(a.Package.Ecosystem)
			if done[family] {
				continue
			}
			done[family] = true
			if writers[family] == nil {
				zips[family] = &bytes.Buffer{}
				writers[family] = zip.NewWriter(zips[family])
			}
			w, err := writers[family].Create(r.ID + ".json")
			if err != nil {
				tb.Fatal(err)
			}
			if _, err := w.Write([]byte(text)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	source := fstest.MapFS{}
	for family, w := range writers {
		if err := w.Close(); err != nil {
			tb.Fatal(err)
		}
		source[family+"/all.zip"] = &fstest.MapFile{Data: zips[family].Bytes()}
	}
	path := filepath.Join(tb.TempDir(), "advisories.db")
	info, err := advisory.Compile(tb.Context(), source, path, advisory.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if info.SkippedTotal > 0 {
		tb.Fatalf("skipped %v", info.Skipped)
	}
	db, err := advisory.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// statement writes one affected entry with one range, from "introduced 1,
// fixed 2" and the like.
func statement(ecosystem, name, kind, events string, more ...string) string {
	var list []string
	for e := range strings.SplitSeq(events, ", ") {
		what, version, _ := strings.Cut(e, " ")
		list = append(list, `{"`+what+`":"`+version+`"}`)
	}
	return `{"package":{"ecosystem":"` + ecosystem + `","name":"` + name + `"},"ranges":[{"type":"` + kind +
		`","events":[` + strings.Join(list, ",") + `]}]` + strings.Join(append([]string{""}, more...), ",") + `}`
}

// record writes one record; more are further fields.
func record(id, affected string, more ...string) string {
	return `{"id":"` + id + `","affected":[` + affected + `]` + strings.Join(append([]string{""}, more...), ",") + `}`
}
