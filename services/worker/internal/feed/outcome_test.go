package feed_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/feed"
)

func refresh(t *testing.T, f *feed.Feed) state.Refresh {
	t.Helper()
	rec, err := f.State.Refreshes.Get(t.Context(), state.AdvisoryRefresh)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Value
}

func TestAFailedUpdateIsACondition(t *testing.T) {
	t.Parallel()
	m := serve(t, map[string][]byte{"npm": export(t, "npm", "GHSA-1")})
	f := newFeed(t, m.URL, "npm")
	before := update(t, f)
	good := refresh(t, f)
	if good.Condition.Count != 0 || good.SucceededAt.IsZero() || good.Source != m.URL {
		t.Errorf("got %+v", good)
	}
	m.setNPM([]byte("no zip at all"))
	for range 2 {
		if err := f.Update(t.Context()); err == nil {
			t.Fatal("no error")
		}
	}
	bad := refresh(t, f)
	if bad.Condition.Count != 2 || bad.Condition.Error == "" || !bad.SucceededAt.Equal(good.SucceededAt) || !bad.Condition.Since.Before(bad.Condition.LastAt) {
		t.Errorf("got %+v", bad)
	}
	rec, err := f.State.Databases.Get(t.Context(), state.CurrentDatabase)
	if err != nil || rec.Value != before {
		t.Errorf("the database is %+v, %v; want %+v", rec.Value, err, before)
	}
	m.setNPM(export(t, "npm", "GHSA-2"))
	update(t, f)
	if now := refresh(t, f); now.Condition.Count != 0 || !now.SucceededAt.After(good.SucceededAt) {
		t.Errorf("got %+v", now)
	}
}

// What a database changes is stored beside it.
func TestADatabaseIsComparedWithTheOneBefore(t *testing.T) {
	t.Parallel()
	m := serve(t, map[string][]byte{"npm": export(t, "npm", "GHSA-1")})
	f := newFeed(t, m.URL, "npm")
	first := update(t, f)
	if first.Before != "" || first.Changes != "" {
		t.Errorf("got %+v", first)
	}
	m.setNPM(export(t, "npm", "GHSA-2"))
	second := update(t, f)
	if second.Before != first.Version || second.Changes == "" {
		t.Fatalf("got %+v", second)
	}
	raw, err := f.State.Advisories.Get(t.Context(), second.Changes, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := advisory.DecodeChanges(raw)
	if err != nil {
		t.Fatal(err)
	}
	touches := func(name string) bool {
		queries, _ := changed.Touched(advisory.Lookups{{Key: advisory.Key("npm", name)}}.Pack())
		return len(queries) > 0
	}
	if !touches("zlib") || touches("other") {
		t.Errorf("changed: %v", changed)
	}
}

const (
	epssTable  = "#model_version:v1,score_date:2026-03-01T00:00:00Z\ncve,epss,percentile\nCVE-2026-0001,0.5,0.9\n"
	kevCatalog = `{"vulnerabilities":[{"cveID":"CVE-2026-0001"}]}`
)

// flaw is what the current database knows of the CVE.
func flaw(t *testing.T, f *feed.Feed, db state.Database) advisory.Flaw {
	t.Helper()
	raw, err := f.State.Advisories.Get(t.Context(), db.Object, 1<<20)
	path := filepath.Join(t.TempDir(), "db")
	if err = errors.Join(err, os.WriteFile(path, raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	open, err := advisory.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := open.Flaw("CVE-2026-0001")
	if err = errors.Join(err, open.Close()); err != nil {
		t.Fatal(err)
	}
	return found
}

// Scores are an addition: without them, or with those of yesterday, the
// advisories come in all the same.
func TestScores(t *testing.T) {
	t.Parallel()
	m := serve(t, map[string][]byte{"npm": export(t, "npm", "CVE-2026-0001")})
	var broken atomic.Bool
	scores := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			_, _ = w.Write([]byte("<html>not today</html>"))
			return
		}
		_, _ = w.Write([]byte(epssTable))
	}))
	t.Cleanup(scores.Close)
	catalog := filepath.Join(t.TempDir(), "kev.json")
	f := newFeed(t, m.URL, "npm")
	f.EPSS, f.KEV = scores.URL, catalog
	if got := flaw(t, f, update(t, f)); !got.HasEPSS || got.EPSS != 0.5 || got.KEV {
		t.Errorf("without the catalogue: %+v", got)
	}
	if err := os.WriteFile(catalog, []byte(kevCatalog), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := flaw(t, f, update(t, f)); !got.HasEPSS || !got.KEV {
		t.Errorf("with both: %+v", got)
	}
	broken.Store(true)
	if err := os.Remove(catalog); err != nil {
		t.Fatal(err)
	}
	m.setNPM(append(export(t, "npm", "CVE-2026-0001"), 0)) // other bytes, the same records
	if got := flaw(t, f, update(t, f)); !got.HasEPSS || !got.KEV {
		t.Errorf("with both broken: %+v", got)
	}
	if refresh(t, f).Condition.Count != 0 {
		t.Error("a source of scores that fails is no failure of the advisories")
	}
}

func TestAUserMayAskForALook(t *testing.T) {
	t.Parallel()
	m := serve(t, map[string][]byte{"npm": export(t, "npm", "GHSA-1")})
	f := newFeed(t, m.URL, "npm")
	f.Every = time.Hour
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	first := version(t, f, "")
	m.setNPM(export(t, "npm", "GHSA-2"))
	_, err := f.State.Refreshes.Change(t.Context(), failpoint.APIAdvisories, state.AdvisoryRefresh, func(r *state.Refresh, _ bool) error {
		r.AskedAt = time.Now()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	version(t, f, first)
}

// version waits for a database of another version.
func version(t *testing.T, f *feed.Feed, other string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var found string
	err := f.State.Databases.Watch(ctx, state.CurrentDatabase, func(u state.Update[state.Database]) {
		if v := u.Value.Version; v != "" && v != other && found == "" {
			found = v
			cancel()
		}
	})
	if err != nil || found == "" {
		t.Fatalf("no other database came: %v", err)
	}
	return found
}
