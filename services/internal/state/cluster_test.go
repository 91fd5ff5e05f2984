package state_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Whoever reads through one server of a cluster sees what was written through
// another one before, though servers keep up with each other only so fast.
func TestNothingReadFromAClusterIsOld(t *testing.T) {
	t.Parallel()
	servers := natstest.Cluster(t, 3)
	stores := make([]*state.Store, 0, len(servers))
	for _, s := range servers {
		stores = append(stores, open(t, natstest.Connect(t, s, bus.Options{Service: "one", Replicas: len(servers)})))
	}
	ctx := t.Context()
	for n := range 60 {
		writer, reader := stores[n%3], stores[(n+1)%3]
		key, content := "at."+strconv.Itoa(n), []byte(strings.Repeat(strconv.Itoa(n), 300<<10))
		created, err := writer.Requests.Create(ctx, point, key, request("x"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := reader.Requests.Get(ctx, key)
		if err != nil || got.Revision != created.Revision || got.Value.ID != "x" {
			t.Errorf("get: %+v, %v", got, err)
		}
		few, err := reader.Requests.List(ctx, "at.*")
		if err != nil || len(few) != n+1 {
			t.Errorf("few: %d records of %d, %v", len(few), n+1, err)
		}
		seen := map[string]bool{}
		err = reader.Requests.All(ctx, ">", func(r state.Record[state.Request]) error {
			seen[r.Key] = true
			return nil
		})
		if err != nil || len(seen) != n+1 {
			t.Errorf("all: %d records of %d, %v", len(seen), n+1, err)
		}
		digest, err := writer.Reports.Put(ctx, point, content)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Reports.Get(ctx, digest, 1<<20); err != nil {
			t.Errorf("object: %v", err)
		}
	}
	gone, err := stores[0].Requests.Get(ctx, "at.7")
	if err == nil {
		err = stores[0].Requests.Delete(ctx, point, gone)
	}
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]error{"at.7": state.ErrNotFound, "at.99": state.ErrNotFound, "at.8": nil} {
		if _, err := stores[1].Requests.Get(ctx, key); !errors.Is(err, want) {
			t.Errorf("get %s: %v, want %v", key, err, want)
		}
	}
	for _, key := range []string{"", ".", "a..b", "a b", "*", "at.*", ">"} {
		_, cluster := stores[0].Requests.Get(ctx, key)
		if cluster == nil || errors.Is(cluster, state.ErrNotFound) {
			t.Errorf("get %q: %v", key, cluster)
		}
	}
}
