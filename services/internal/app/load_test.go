package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// contents is what a table holds.
func contents[T any](t *testing.T, table *state.Table[T]) map[string]T {
	t.Helper()
	all := map[string]T{}
	if err := table.All(t.Context(), ">", func(r state.Record[T]) error {
		all[r.Key] = r.Value
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSyncConfigMakesStateAgreeWithTheFile(t *testing.T) {
	writes := map[failpoint.Point]int{}
	store := openStore(t, func(p failpoint.Point, m failpoint.Moment) {
		if m == failpoint.After {
			writes[p]++
		}
	})
	ctx := t.Context()
	byAPI := state.Managed[config.Rule]{Value: config.Rule{Name: "by-hand", Registry: "hub"}}
	taken := state.Managed[config.Rule]{Value: config.Rule{Name: "nightly", Registry: "hub", Cap: 9}}
	for name, r := range map[string]state.Managed[config.Rule]{"by-hand": byAPI, "nightly": taken} {
		if _, err := store.Rules.Create(ctx, failpoint.ConfigRule, name, r); err != nil {
			t.Fatal(err)
		}
	}
	doc := config.Document{
		Defaults:   config.Defaults{EveryDays: 7},
		Registries: []config.Registry{{Name: "hub"}, {Name: "local", Address: "127.0.0.1:5000"}},
		Rules:      []config.Rule{{Name: "nightly", Registry: "hub", Cap: 5}, {Name: "weekly", Registry: "local"}},
	}
	if err := SyncConfig(ctx, store, doc); err != nil {
		t.Fatal(err)
	}
	file := func(r config.Rule) state.Managed[config.Rule] {
		return state.Managed[config.Rule]{Value: r, ManagedBy: state.ManagedByFile}
	}
	want := map[string]state.Managed[config.Rule]{"by-hand": byAPI, "nightly": file(doc.Rules[0]), "weekly": file(doc.Rules[1])}
	if diff := cmp.Diff(want, contents(t, store.Rules)); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if got := contents(t, store.Defaults)[state.DefaultsKey].EveryDays; got != 7 {
		t.Errorf("everyDays = %d, want 7", got)
	}

	clear(writes)
	if err := SyncConfig(ctx, store, doc); err != nil {
		t.Fatal(err)
	}
	if len(writes) != 0 {
		t.Errorf("the same file again wrote %v", writes)
	}

	doc.Rules, doc.Registries = doc.Rules[:1], doc.Registries[:1]
	if err := SyncConfig(ctx, store, doc); err != nil {
		t.Fatal(err)
	}
	delete(want, "weekly")
	if diff := cmp.Diff(want, contents(t, store.Rules)); diff != "" {
		t.Errorf("rules after one was left out (-want +got):\n%s", diff)
	}
	if _, there := contents(t, store.Registries)["local"]; there {
		t.Error("registry local was left out of the file and is still there")
	}
}

func TestSyncConfigByManyAtOnce(t *testing.T) {
	store := openStore(t, nil)
	doc := config.Document{Registries: []config.Registry{{Name: "a"}, {Name: "b"}}, Rules: []config.Rule{{Name: "r", Registry: "a"}}}
	errs := make(chan error)
	const services = 5
	for range services {
		go func() { errs <- SyncConfig(t.Context(), store, doc) }()
	}
	for range services {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := len(contents(t, store.Registries)); got != 2 {
		t.Errorf("%d registries, want 2", got)
	}
}

func TestLoadConfig(t *testing.T) {
	store := openStore(t, nil)
	if doc, err := LoadConfig(t.Context(), store, ""); err != nil || len(doc.Rules) != 0 {
		t.Errorf("no file: %v, %v", doc, err)
	}
	if _, err := LoadConfig(t.Context(), store, filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a file that is not there: no error")
	}
	file := filepath.Join(t.TempDir(), "landwaiter.yaml")
	text := "registries:\n  - name: local\n    address: 127.0.0.1:5000\nrules:\n  - name: all\n    registry: local\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadConfig(t.Context(), store, file); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, store.Registries)["local"].ManagedBy; got != state.ManagedByFile {
		t.Errorf("managedBy = %q, want %q", got, state.ManagedByFile)
	}
	if err := os.WriteFile(file, []byte("rulez: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadConfig(t.Context(), store, file); err == nil {
		t.Error("a file with a mistake: no error")
	}
	if _, there := contents(t, store.Rules)["all"]; !there {
		t.Error("a file with a mistake changed the state")
	}
}

func TestFollow(t *testing.T) {
	store := openStore(t, nil)
	put := func(name string) state.Record[state.Managed[config.Rule]] {
		r, err := store.Rules.Create(t.Context(), failpoint.ConfigRule, name, state.Managed[config.Rule]{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := put("first")
	seen := make(chan int)
	go func() {
		_ = Follow(t.Context(), store.Rules, zaptest.NewLogger(t), func(all map[string]state.Managed[config.Rule]) { seen <- len(all) })
	}()
	if got := <-seen; got != 1 {
		t.Errorf("first told of %d records, want 1", got)
	}
	put("second")
	if got := <-seen; got != 2 {
		t.Errorf("after a second: %d, want 2", got)
	}
	if err := store.Rules.Delete(t.Context(), failpoint.ConfigRule, first); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != 1 {
		t.Errorf("after one is removed: %d, want 1", got)
	}
}
