package feed_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/feed"
)

func export(t *testing.T, ecosystem, id string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.Create(id + ".json")
	if err == nil {
		_, err = fmt.Fprintf(w, `{"id":%q,"modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":%q,"name":"zlib"},`+
			`"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}`, id, ecosystem)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// mirror serves zips by ecosystem, each with its content's digest as ETag.
type mirror struct {
	*httptest.Server

	mu   sync.Mutex
	zips map[string][]byte
	sent int // bodies
}

func serve(t *testing.T, zips map[string][]byte) *mirror {
	t.Helper()
	m := &mirror{zips: zips}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		content, has := m.zips[strings.TrimSuffix(strings.TrimPrefix(req.URL.Path, "/"), "/all.zip")]
		if !has {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		tag := `"` + string(state.DigestOf(content)) + `"`
		if req.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		m.sent++
		w.Header().Set("ETag", tag)
		_, _ = w.Write(content)
	}))
	t.Cleanup(m.Close)
	return m
}

// setNPM replaces the zip of npm.
func (m *mirror) setNPM(content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.zips["npm"] = content
}

func (m *mirror) bodies() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent
}

func newFeed(t *testing.T, source string, ecosystems ...string) *feed.Feed {
	t.Helper()
	b := natstest.Bus(t, natstest.Start(t), "test")
	st, err := state.Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return &feed.Feed{
		State: st, Source: source, Ecosystems: ecosystems, Dir: t.TempDir(), Retry: time.Millisecond, Now: time.Now, Log: zap.NewNop(),
	}
}

func update(t *testing.T, f *feed.Feed) state.Database {
	t.Helper()
	if err := f.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec, err := f.State.Databases.Get(t.Context(), state.CurrentDatabase)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Value
}

func TestMirrorIsReadOnceWhileItStays(t *testing.T) {
	t.Parallel()
	m := serve(t, map[string][]byte{"Debian": export(t, "Debian:12", "DEBIAN-1"), "npm": export(t, "npm", "GHSA-1")})
	f := newFeed(t, m.URL, "Debian", "npm")
	first := update(t, f)
	again := update(t, f)
	if first.Version == "" || first.Records != 2 || again != first || m.bodies() != 2 {
		t.Errorf("first %+v, then %+v, after %d bodies", first, again, m.bodies())
	}
	m.setNPM(export(t, "npm", "GHSA-2"))
	changed := update(t, f)
	if changed.Version == first.Version || m.bodies() != 3 {
		t.Errorf("got %+v after %d bodies", changed, m.bodies())
	}
	// What is no longer asked for does not stay in.
	f.Ecosystems = []string{"Debian"}
	if fewer := update(t, f); fewer.Records != 1 {
		t.Errorf("got %+v", fewer)
	}
}

// A database that lost an ecosystem would call its packages clean.
// TestOlderScoresDoNotReplaceNewerOnes: two workers who have different copies of
// the scores agree on one.
func TestOlderScoresDoNotReplaceNewerOnes(t *testing.T) {
	t.Parallel()
	m := serve(t, map[string][]byte{"npm": export(t, "npm", "CVE-2024-0001")})
	one := newFeed(t, m.URL, "npm")
	other := &feed.Feed{State: one.State, Source: m.URL, Ecosystems: []string{"npm"}, Dir: t.TempDir(), Retry: time.Millisecond, Now: time.Now, Log: zap.NewNop()}
	one.EPSS, other.EPSS = filepath.Join(one.Dir, "epss.csv"), filepath.Join(other.Dir, "epss.csv")
	scores := func(f *feed.Feed, day, score string) {
		t.Helper()
		text := "#model_version:v1,score_date:" + day + "T00:00:00Z\ncve,epss,percentile\nCVE-2024-0001," + score + ",0.5\n"
		if err := os.WriteFile(f.EPSS, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	scores(one, "2024-10-15", "0.1")
	scores(other, "2024-10-16", "0.2")
	older, newer := update(t, one), update(t, other)
	if older.Version == newer.Version || newer.EPSS.Date != "2024-10-16" {
		t.Fatalf("got %+v, then %+v", older, newer)
	}
	if again := update(t, one); again != newer {
		t.Errorf("the older copy replaced the newer one: %+v", again)
	}
	// Of one day, the content decides, whoever comes last.
	scores(one, "2024-10-16", "0.3")
	first := update(t, one)
	if second := update(t, other); second != first && update(t, one) != second {
		t.Errorf("two copies of one day replace each other")
	}
	// What nobody asks for any more goes.
	one.EPSS = ""
	if bare := update(t, one); bare.EPSS.Digest != "" {
		t.Errorf("scores stay: %+v", bare)
	}
}

func TestMissingEcosystemKeepsTheDatabaseInUse(t *testing.T) {
	t.Parallel()
	m := serve(t, map[string][]byte{"Debian": export(t, "Debian:12", "DEBIAN-1")})
	f := newFeed(t, m.URL, "Debian")
	before := update(t, f)
	f.Ecosystems = []string{"Debian", "Debain"}
	if err := f.Update(t.Context()); err == nil || !strings.Contains(err.Error(), "Debain: the source answered 404") {
		t.Errorf("got %v", err)
	}
	rec, err := f.State.Databases.Get(t.Context(), state.CurrentDatabase)
	if err != nil || rec.Value != before {
		t.Errorf("got %+v, %v; want %+v", rec.Value, err, before)
	}
}

func TestHalfAZipIsNotTaken(t *testing.T) {
	t.Parallel()
	whole := export(t, "Debian:12", "DEBIAN-1")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
		_, _ = w.Write(whole[:len(whole)/2])
	}))
	t.Cleanup(srv.Close)
	f := newFeed(t, srv.URL, "Debian")
	if err := f.Update(t.Context()); err == nil || !strings.Contains(err.Error(), "fetch advisories of Debian") {
		t.Errorf("got %v", err)
	}
}

// The sample only ever stands in for the public export: a source somebody chose
// and cannot be read is an error.
func TestSampleStandsInForThePublicExportOnly(t *testing.T) {
	t.Parallel()
	sample := fstest.MapFS{"Debian/all.zip": {Data: export(t, "Debian:12", "DEBIAN-1"), Mode: fs.ModePerm}}
	dead := serve(t, nil)
	dead.Close()
	f := newFeed(t, dead.URL, "Debian")
	f.Fallback = sample
	if err := f.Update(t.Context()); err == nil {
		t.Error("the sample stood in for a source that was named")
	}
}

func TestFolderIsChecked(t *testing.T) {
	t.Parallel()
	f := newFeed(t, t.TempDir()+"/none")
	if err := f.Update(t.Context()); err == nil || !strings.Contains(err.Error(), "is no directory") {
		t.Errorf("got %v", err)
	}
}
