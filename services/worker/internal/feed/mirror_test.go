package feed_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/feed"
)

// osv is an export of one ecosystem as the public one is laid out, with ranges
// and ETags. Its zip is made when it is asked for.
type osv struct {
	*httptest.Server

	mu      sync.Mutex
	records map[string]string // JSON by id
	list    []string          // lines, newest first
	frozen  []byte            // the zip, if it is not made anew
	breaks  int               // transfers of the zip that are cut
	piece   int               // bytes before they are
	asked   []string          // path and answer's status, Range
}

func startOSV(t *testing.T) *osv {
	t.Helper()
	o := &osv{records: map[string]string{}}
	o.Server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	return o
}

func (o *osv) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
	var content []byte
	switch name := strings.TrimPrefix(r.URL.Path, "/npm/"); name {
	case "modified_id.csv":
		content = []byte(strings.Join(o.list, ""))
	case "all.zip":
		content = o.zip()
		if o.breaks > 0 {
			o.breaks--
			w = &breaking{ResponseWriter: w, left: o.piece}
		}
	default:
		text, has := o.records[strings.TrimSuffix(name, ".json")]
		if !has {
			http.NotFound(w, r)
			return
		}
		content = []byte(text)
	}
	w.Header().Set("ETag", `"`+string(state.DigestOf(content))+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// breaking ends the connection after some bytes.
type breaking struct {
	http.ResponseWriter

	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		_, _ = b.ResponseWriter.Write(p[:b.left])
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

func (o *osv) zip() []byte {
	if o.frozen != nil {
		return o.frozen
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, id := range []string{"A-1", "A-2", "A-3"} {
		if text, has := o.records[id]; has {
			w, err := z.Create(id + ".json")
			if err == nil {
				_, err = w.Write([]byte(text))
			}
			if err != nil {
				panic(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

// put changes a record, as of a moment.
func (o *osv) put(id, at, fixed string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.records[id] = fmt.Sprintf(`{"id":%q,"modified":%q,"affected":[{"package":{"ecosystem":"npm","name":"x"},`+
		`"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`, id, at, fixed)
	o.list = append([]string{at + "," + id + "\n"}, o.list...)
}

func (o *osv) set(change func(o *osv)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

// requests gives what was asked since the last call.
func (o *osv) requests() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := strings.Join(o.asked, "; ")
	o.asked = nil
	return asked
}

// fixes compiles a copy and gives the fixed versions of x by record.
func fixes(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	if _, err := advisory.Compile(t.Context(), os.DirFS(dir), path, advisory.Options{}); err != nil {
		t.Fatal(err)
	}
	db, err := advisory.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := db.Affected("npm", "x")
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range list {
		for a, err := range s.All() {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, a.ID+" "+a.Intervals[0].To)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

type copied struct {
	t      *testing.T
	export feed.Export
}

func copyOf(t *testing.T, o *osv, now func() time.Time) copied {
	t.Helper()
	return copied{t, feed.Export{URL: o.URL, Ecosystems: []string{"npm"}, Dir: t.TempDir(), Retry: time.Millisecond, Now: now}}
}

func (c copied) fetch(ctx context.Context) {
	c.t.Helper()
	if err := feed.Fetch(ctx, c.export); err != nil {
		c.t.Fatal(err)
	}
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s; want %s", what, got, want)
	}
}

func TestOnlyWhatChangedIsTransferred(t *testing.T) {
	t.Parallel()
	o := startOSV(t)
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	c := copyOf(t, o, func() time.Time { return now })
	o.put("A-1", "2026-01-01T00:00:00Z", "1.0.0")
	o.put("A-2", "2026-01-02T00:00:00Z", "1.0.0")
	c.fetch(t.Context())
	want(t, "first", o.requests(), "/npm/modified_id.csv; /npm/all.zip")
	c.fetch(t.Context())
	want(t, "nothing new", o.requests(), "/npm/modified_id.csv")
	o.put("A-1", "2026-01-03T00:00:00.123456789Z", "2.0.0")
	o.put("A-3", "2026-01-03T01:00:00Z", "3.0.0")
	c.fetch(t.Context())
	asked := o.requests()
	// A-2 is asked for too: zip and list may have been of different moments.
	if strings.Contains(asked, "all.zip") || strings.Count(asked, ".json") != 3 {
		t.Errorf("asked for %s", asked)
	}
	want(t, "copy", fixes(t, c.export.Dir), "A-1 2.0.0, A-2 1.0.0, A-3 3.0.0")
	o.put("A-1", "2026-01-03T02:00:00Z", "2.1.0")
	c.fetch(t.Context())
	want(t, "one more", o.requests(), "/npm/modified_id.csv; /npm/A-1.json")
	want(t, "copy", fixes(t, c.export.Dir), "A-1 2.1.0, A-2 1.0.0, A-3 3.0.0")
	// A record that is gone is in no list: now and then the zip is fetched.
	o.set(func(o *osv) { delete(o.records, "A-3") })
	now = now.Add(8 * 24 * time.Hour)
	c.fetch(t.Context())
	want(t, "a week later", o.requests(), "/npm/modified_id.csv; /npm/all.zip")
	want(t, "copy", fixes(t, c.export.Dir), "A-1 2.1.0, A-2 1.0.0")
}

func TestATransferThatBreaksOffGoesOn(t *testing.T) {
	t.Parallel()
	o := startOSV(t)
	o.put("A-1", "2026-01-01T00:00:00Z", "1.0.0")
	o.set(func(o *osv) { o.breaks, o.piece = 2, 50 })
	c := copyOf(t, o, time.Now)
	c.fetch(t.Context())
	want(t, "asked", o.requests(), "/npm/modified_id.csv; /npm/all.zip; /npm/all.zip bytes=50-; /npm/all.zip bytes=100-")
	want(t, "copy", fixes(t, c.export.Dir), "A-1 1.0.0")
}

// What was begun of another file is of no use.
func TestAFileThatChangedIsBegunAgain(t *testing.T) {
	t.Parallel()
	o := startOSV(t)
	o.put("A-1", "2026-01-01T00:00:00Z", "1.0.0")
	c := copyOf(t, o, time.Now)
	o.set(func(o *osv) { o.breaks, o.piece = 5, 10 })
	if err := feed.Fetch(t.Context(), c.export); err == nil {
		t.Fatal("half a zip was taken")
	}
	o.requests()
	o.put("A-1", "2026-01-02T00:00:00Z", "2.0.0")
	c.fetch(t.Context())
	if asked := o.requests(); !strings.Contains(asked, "all.zip bytes=") {
		t.Errorf("asked for %s", asked)
	}
	want(t, "copy", fixes(t, c.export.Dir), "A-1 2.0.0")
}

func TestADamagedZipIsRefused(t *testing.T) {
	t.Parallel()
	o := startOSV(t)
	o.put("A-1", "2026-01-01T00:00:00Z", "1.0.0")
	whole := o.zip()
	damaged := bytes.Clone(whole)
	damaged[45]++ // within the entry's data
	o.set(func(o *osv) { o.frozen = damaged })
	c := copyOf(t, o, time.Now)
	if err := feed.Fetch(t.Context(), c.export); err == nil || !strings.Contains(err.Error(), "verify zip") {
		t.Errorf("got %v", err)
	}
	o.set(func(o *osv) { o.frozen = nil })
	c.fetch(t.Context())
	want(t, "copy", fixes(t, c.export.Dir), "A-1 1.0.0")
}

// The list may know of a record before the record is there.
func TestARecordThatIsNotThereYetIsAskedForAgain(t *testing.T) {
	t.Parallel()
	o := startOSV(t)
	o.put("A-1", "2026-01-01T00:00:00Z", "1.0.0")
	c := copyOf(t, o, time.Now)
	c.fetch(t.Context())
	o.put("A-2", "2026-01-01T01:00:00Z", "2.0.0")
	o.set(func(o *osv) { delete(o.records, "A-2") })
	c.fetch(t.Context())
	o.put("A-2", "2026-01-01T01:30:00Z", "2.0.0")
	c.fetch(t.Context())
	want(t, "copy", fixes(t, c.export.Dir), "A-1 1.0.0, A-2 2.0.0")
}

func TestARecordWithAnotherIDIsRefused(t *testing.T) {
	t.Parallel()
	o := startOSV(t)
	o.put("A-1", "2026-01-01T00:00:00Z", "1.0.0")
	c := copyOf(t, o, time.Now)
	c.fetch(t.Context())
	o.put("A-2", "2026-01-03T00:00:00Z", "2.0.0")
	o.set(func(o *osv) { o.records["A-2"] = o.records["A-1"] })
	if err := feed.Fetch(t.Context(), c.export); err == nil || !strings.Contains(err.Error(), `what came has the id "A-1"`) {
		t.Errorf("got %v", err)
	}
}
