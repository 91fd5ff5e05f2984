package assess_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
	"github.com/landwaiter/landwaiter/services/worker/internal/feed"
)

// rig is a store of databases and a worker's folder for them.
type rig struct {
	t         *testing.T
	bus       *bus.Bus
	state     *state.Store
	databases *assess.Databases
}

func start(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	b := natstest.Bus(t, natstest.Start(t), "test")
	st, err := state.Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	d := &assess.Databases{State: st, Dir: t.TempDir(), Retry: 10 * time.Millisecond, Log: zap.NewNop()}
	return &rig{t: t, bus: b, state: st, databases: d}
}

// put makes a database of one advisory the current one.
func (r *rig) put(id string) state.Database {
	r.t.Helper()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	w, err := z.Create(id + ".json")
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = fmt.Fprintf(w, `{"schema_version":"1.7.0","id":%q,"modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Debian:12",
		"name":"zlib"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.3"}]}]}]}`, id)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		r.t.Fatal(err)
	}
	source := r.t.TempDir()
	if err := os.MkdirAll(filepath.Join(source, "Debian"), 0o750); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "Debian", "all.zip"), archive.Bytes(), 0o600); err != nil {
		r.t.Fatal(err)
	}
	f := feed.Feed{State: r.state, Source: source, Dir: r.t.TempDir(), Now: time.Now, Log: zap.NewNop()}
	if err := f.Update(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return r.current().Value
}

func (r *rig) current() state.Record[state.Database] {
	r.t.Helper()
	rec, err := r.state.Databases.Get(r.t.Context(), state.CurrentDatabase)
	if err != nil {
		r.t.Fatal(err)
	}
	return rec
}

// follow follows until the test ends. What it returns tells of changes and of
// the first look's end.
func (r *rig) follow() (changed, ready chan struct{}) {
	changed, ready = make(chan struct{}, 8), make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- r.databases.Follow(ctx, func() { ready <- struct{}{} }, func() { changed <- struct{}{} })
	}()
	r.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
		if err := r.databases.Close(); err != nil {
			r.t.Error(err)
		}
	})
	return changed, ready
}

func (r *rig) receive(from <-chan struct{}, what string) {
	r.t.Helper()
	select {
	case <-from:
	case <-time.After(10 * time.Second):
		r.t.Fatalf("%s: not in time", what)
	}
}

func (r *rig) file(object events.Digest) string {
	return filepath.Join(r.databases.Dir, object.Token()+".db")
}

func TestOldDatabasesAreRemoved(t *testing.T) {
	r := start(t)
	first := r.put("DEBIAN-CVE-2026-0001")
	changed, _ := r.follow()
	r.receive(changed, "first database")
	// What is not ours to remove.
	foreign := filepath.Join(r.databases.Dir, "notes.db")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Whoever has the old one open can go on with it.
	open, err := advisory.Open(r.file(first.Object))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Close() }()
	second := r.put("DEBIAN-CVE-2026-0002")
	r.receive(changed, "second database")
	if v := r.databases.Version(); v != second.Version {
		t.Errorf("version %s is in use, want %s", v, second.Version)
	}
	// The one before is kept until verdicts on both were compared.
	r.there(map[string]bool{r.file(first.Object): true, r.file(second.Object): true, foreign: true})
	third := r.put("DEBIAN-CVE-2026-0003")
	r.receive(changed, "third database")
	r.there(map[string]bool{r.file(first.Object): false, r.file(second.Object): true, r.file(third.Object): true, foreign: true})
	renewal := assess.Renewal{Databases: r.databases, Log: zap.NewNop()}
	renewal.End(second.Version) // not in use any more
	r.there(map[string]bool{r.file(second.Object): true, r.file(third.Object): true})
	renewal.End(third.Version)
	r.there(map[string]bool{r.file(second.Object): false, r.file(third.Object): true, foreign: true})
}

// there checks which files there are.
func (r *rig) there(files map[string]bool) {
	r.t.Helper()
	for path, want := range files {
		if _, err := os.Stat(path); (err == nil) != want {
			r.t.Errorf("%s: %v, want it there: %t", path, err, want)
		}
	}
}

func TestACorruptFileIsFetchedAgain(t *testing.T) {
	r := start(t)
	db := r.put("DEBIAN-CVE-2026-0001")
	if err := os.WriteFile(r.file(db.Object), []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	changed, ready := r.follow()
	r.receive(ready, "first look")
	r.receive(changed, "database")
	if v := r.databases.Version(); v != db.Version {
		t.Errorf("version %s is in use, want %s", v, db.Version)
	}
}

func TestADatabaseThatFailedIsTriedAgain(t *testing.T) {
	r := start(t)
	db := r.put("DEBIAN-CVE-2026-0001")
	content, err := r.state.Advisories.Get(t.Context(), db.Object, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.state.Advisories.Remove(t.Context(), failpoint.AdvisoryObject, db.Object, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	changed, ready := r.follow()
	r.receive(ready, "first look")
	if v := r.databases.Version(); v != "" {
		t.Errorf("version %s is in use, though there is no object", v)
	}
	if _, err := r.state.Advisories.Put(t.Context(), failpoint.AdvisoryObject, content); err != nil {
		t.Fatal(err)
	}
	r.receive(changed, "database")
	if v := r.databases.Version(); v != db.Version {
		t.Errorf("version %s is in use, want %s", v, db.Version)
	}
}

// Only of the version that it replaced is a database known to be newer.
func TestDatabaseReplacedAnother(t *testing.T) {
	r := start(t)
	first := r.put("CVE-2026-0001")
	changed, ready := r.follow()
	r.receive(changed, "the first database")
	r.receive(ready, "the end of the first look")
	if r.databases.Replaced(first.Version, "") || r.databases.Replaced(first.Version, first.Version) {
		t.Error("the first database replaced something")
	}
	second := r.put("CVE-2026-0002")
	r.receive(changed, "the second database")
	for _, tt := range []struct {
		inUse, before string
		want          bool
	}{
		{second.Version, first.Version, true},
		{first.Version, first.Version, false},
		{second.Version, second.Version, false},
		{second.Version, "another", false},
		{second.Version, "", false},
		{"", "", false},
	} {
		if got := r.databases.Replaced(tt.inUse, tt.before); got != tt.want {
			t.Errorf("%q replaced %q: %v", tt.inUse, tt.before, got)
		}
	}
}
