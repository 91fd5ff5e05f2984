package state_test

import (
	"slices"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

func TestSinceTellsOfWhatHasChanged(t *testing.T) {
	_, st := start(t)
	put := func(key string) state.Record[state.Request] {
		rec, err := st.Requests.Change(t.Context(), failpoint.PlanRequest, key, func(r *state.Request, _ bool) error {
			r.Reference += "+"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	changed := func(filter string, revision uint64) (keys []string) {
		err := st.Requests.Since(t.Context(), filter, revision, func(r state.Record[state.Request]) error {
			keys = append(keys, r.Key+r.Value.Reference)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	first, err := st.Requests.Revision(t.Context())
	if err != nil || first != 0 {
		t.Errorf("revision of nothing: %d, %v", first, err)
	}
	put("a.x")
	put("b.x")
	revision, err := st.Requests.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := changed("*.x", revision); got != nil {
		t.Errorf("nothing has changed, got %v", got)
	}
	put("b.x")
	put("c.y")
	gone := put("d.x")
	if err := st.Requests.Delete(t.Context(), failpoint.PlanRequest, gone); err != nil {
		t.Fatal(err)
	}
	if got, want := changed("*.x", revision), []string{"b.x++"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := changed(">", first), []string{"a.x+", "b.x++", "c.y+"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
