package state_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const point = failpoint.PlanRequest

func request(id string) state.Request { return state.Request{ID: id, State: state.RequestPlanned} }

func TestRecordIsChangedOnlyAtItsRevision(t *testing.T) {
	_, st := start(t)
	ctx, table := t.Context(), st.Requests
	if _, err := table.Get(ctx, "r"); !errors.Is(err, state.ErrNotFound) {
		t.Fatalf("Get of nothing: %v", err)
	}
	first, err := table.Create(ctx, point, "r", request("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Create(ctx, point, "r", request("2")); !errors.Is(err, state.ErrConflict) {
		t.Errorf("second Create: %v, want a conflict", err)
	}
	changed := first
	changed.Value.ID = "3"
	second, err := table.Put(ctx, point, changed)
	if err != nil || second.Revision <= first.Revision {
		t.Fatalf("Put: revision %d after %d, %v", second.Revision, first.Revision, err)
	}
	if _, err := table.Put(ctx, point, first); !errors.Is(err, state.ErrConflict) {
		t.Errorf("Put at an old revision: %v, want a conflict", err)
	}
	if err := table.Delete(ctx, point, first); !errors.Is(err, state.ErrConflict) {
		t.Errorf("Delete at an old revision: %v, want a conflict", err)
	}
	if err := table.Delete(ctx, point, state.Record[state.Request]{Key: "r"}); !errors.Is(err, state.ErrConflict) {
		t.Errorf("Delete of what was never read: %v, want a conflict", err)
	}
	got, err := table.Get(ctx, "r")
	if err != nil || got.Value.ID != "3" || got.Revision != second.Revision || got.Key != "r" {
		t.Errorf("Get = %+v, %v", got, err)
	}
	if err := table.Delete(ctx, point, got); err != nil {
		t.Errorf("Delete: %v", err)
	}
}

func TestRemovedRecordIsCreatedAgain(t *testing.T) {
	_, st := start(t)
	ctx, table := t.Context(), st.Requests
	first, err := table.Create(ctx, point, "r", request("1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Delete(ctx, point, first); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Get(ctx, "r"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("Get of a removed record: %v", err)
	}
	if _, err := table.Put(ctx, point, first); !errors.Is(err, state.ErrConflict) {
		t.Errorf("Put over a removal: %v, want a conflict", err)
	}
	again, err := table.Create(ctx, point, "r", request("2"))
	if err != nil || again.Revision <= first.Revision {
		t.Fatalf("Create after Delete: revision %d after %d, %v", again.Revision, first.Revision, err)
	}
	if err := table.Delete(ctx, point, first); !errors.Is(err, state.ErrConflict) {
		t.Errorf("Delete of an earlier life: %v, want a conflict", err)
	}
}

// After a removal many create at once: one wins, whoever saw the marker.
func TestOneOfManyCreatesAgain(t *testing.T) {
	_, st := start(t)
	ctx, table := t.Context(), st.Requests
	first, err := table.Create(ctx, point, "r", request("1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Delete(ctx, point, first); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	results := make(chan error, 20)
	for n := range 20 {
		all.Go(func() {
			_, err := table.Create(ctx, point, "r", request(strconv.Itoa(n)))
			results <- err
		})
	}
	all.Wait()
	close(results)
	won := 0
	for err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, state.ErrConflict):
			t.Errorf("Create: %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d created the record, want 1", won)
	}
}

func TestConcurrentChangesAllCount(t *testing.T) {
	_, st := start(t)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, err := st.Images.Change(t.Context(), point, "i", func(v *state.Image, _ bool) error {
				v.Generation++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := st.Images.Get(t.Context(), "i")
	if err != nil || got.Value.Generation != 50 {
		t.Errorf("generation %d, %v; want 50", got.Value.Generation, err)
	}
}

func TestChangeMayRefuse(t *testing.T) {
	st, moments := hooked(t)
	refused := errors.New("refused")
	for _, err := range []error{refused, state.ErrUnchanged} {
		_, got := st.Requests.Change(t.Context(), point, "r", func(_ *state.Request, exists bool) error {
			if exists {
				t.Error("exists before it was created")
			}
			return err
		})
		if want := map[bool]error{true: nil, false: refused}[errors.Is(err, state.ErrUnchanged)]; !errors.Is(got, want) {
			t.Errorf("Change = %v, want %v", got, want)
		}
	}
	if got := moments(); len(got) != 0 {
		t.Errorf("wrote: %v", got)
	}
	for want := range 2 {
		_, err := st.Requests.Change(t.Context(), point, "r", func(v *state.Request, exists bool) error {
			if exists != (want > 0) {
				t.Errorf("exists = %t at change %d", exists, want)
			}
			v.ID += "x"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever has read a record changes it as it is now, removed included, and asks
// for it again only where it is another.
func TestChangeFromWhatWasRead(t *testing.T) {
	_, st := start(t)
	ctx, table := t.Context(), st.Requests
	read, err := table.Create(ctx, point, "r", request("1"))
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	add := func(v *state.Request, exists bool) error {
		seen = append(seen, fmt.Sprint(v.ID, exists))
		v.ID += "x"
		if !exists {
			return state.ErrUnchanged
		}
		return nil
	}
	for _, tt := range []struct {
		name string
		want []string
		then string
	}{
		{"as it was", []string{"1true"}, "1x"},
		{"changed meanwhile", []string{"1true", "1xtrue"}, "1xx"},
	} {
		seen = nil
		got, err := table.ChangeFrom(ctx, point, read, add)
		if err != nil || got.Value.ID != tt.then || !slices.Equal(seen, tt.want) {
			t.Errorf("%s: %q, %v after %q", tt.name, got.Value.ID, err, seen)
		}
	}
	now, err := table.Get(ctx, "r")
	if err == nil {
		err = table.Delete(ctx, point, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	seen = nil
	_, err = table.ChangeFrom(ctx, point, now, add)
	if want := []string{"1xxtrue", "false"}; err != nil || !slices.Equal(seen, want) {
		t.Errorf("removed meanwhile: %v after %q, want %q", err, seen, want)
	}
}

func TestEachWriteIsAFailpoint(t *testing.T) {
	st, moments := hooked(t)
	ctx := t.Context()
	var r state.Record[state.Request]
	steps := []struct {
		name string
		do   func() error
		want []string
	}{
		{"create", func() (err error) {
			r, err = st.Requests.Create(ctx, failpoint.PlanRequest, "r", request("1"))
			return err
		}, []string{"plan.request:before", "plan.request:after"}},
		{"create again", func() error {
			_, err := st.Requests.Create(ctx, failpoint.PlanRequest, "r", request("1"))
			return err
		}, []string{"plan.request:before"}},
		{"put", func() (err error) {
			r, err = st.Requests.Put(ctx, failpoint.CancelRequest, r)
			return err
		}, []string{"cancel.request:before", "cancel.request:after"}},
		{"delete", func() error { return st.Requests.Delete(ctx, failpoint.KeeperJob, r) }, []string{"keeper.job:before", "keeper.job:after"}},
		{"object", func() error {
			_, err := st.Reports.Put(ctx, failpoint.ScanReport, []byte("x"))
			return err
		}, []string{"scan.report:before", "scan.report:after"}},
		{"object again", func() error {
			_, err := st.Reports.Put(ctx, failpoint.ScanReport, []byte("x"))
			return err
		}, nil},
		{"object removed", func() error {
			return st.Reports.Remove(ctx, failpoint.KeeperObject, state.DigestOf([]byte("x")), time.Now())
		}, []string{"keeper.object:before", "keeper.object:after"}},
	}
	for _, s := range steps {
		if err := s.do(); (err != nil) != (len(s.want) == 1) {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := moments(); !slices.Equal(got, s.want) {
			t.Errorf("%s: moments %v, want %v", s.name, got, s.want)
		}
	}
}

func TestAllListsWhatMatches(t *testing.T) {
	srv, st := start(t)
	ctx := t.Context()
	// Stored side by side: one at a time takes longer than all the rest here.
	const records = 1500
	var all sync.WaitGroup
	for part := range 10 {
		all.Go(func() {
			for n := part; n < records; n += 10 {
				if _, err := st.Requests.Create(ctx, point, fmt.Sprintf("%c.r%d", 'a'+n%2, n), request(strconv.Itoa(n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	gone, err := st.Requests.Create(ctx, point, "a.gone", request("gone"))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Requests.Delete(ctx, point, gone); err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]int{">": records, "a.*": records / 2, "b.>": records / 2, "*.r7": 1, "c.>": 0} {
		seen := map[string]bool{}
		err := st.Requests.All(ctx, filter, func(r state.Record[state.Request]) error {
			seen[r.Key] = true
			return nil
		})
		if err != nil || len(seen) != want {
			t.Errorf("All(%q): %d records, %v; want %d", filter, len(seen), err, want)
		}
	}
	enough := errors.New("enough")
	if err := st.Requests.All(ctx, ">", func(state.Record[state.Request]) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("All = %v, want the callback's error", err)
	}
	srv.Stop()
	if err := st.Requests.All(ctx, ">", func(state.Record[state.Request]) error { return nil }); err == nil {
		t.Error("All without a broker returned no error")
	}
}

func TestRecordThatCannotBeDecodedIsNamed(t *testing.T) {
	t.Parallel()
	b := natstest.Bus(t, natstest.Start(t), "one")
	st, ctx := open(t, b), t.Context()
	kv, err := b.JetStream().KeyValue(ctx, b.Topology().Bucket("requests"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(ctx, "broken", []byte("{")); err != nil {
		t.Fatal(err)
	}
	_, getErr := st.Requests.Get(ctx, "broken")
	allErr := st.Requests.All(ctx, ">", func(state.Record[state.Request]) error { return nil })
	for _, err := range []error{getErr, allErr} {
		if err == nil || !strings.Contains(err.Error(), "requests broken") {
			t.Errorf("error %v, want one that names the record", err)
		}
	}
}
