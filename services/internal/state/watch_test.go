package state_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

type update = state.Update[state.Request]

// watching is a watch in the background.
type watching struct {
	updates chan update
	ended   chan error
	stop    context.CancelFunc
}

func watch(t *testing.T, table *state.Table[state.Request], filter string) watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := watching{updates: make(chan update, 64), ended: make(chan error, 1), stop: cancel}
	go func() { w.ended <- table.Watch(ctx, filter, func(u update) { w.updates <- u }) }()
	return w
}

// next describes the next update.
func (w watching) next(t *testing.T) string {
	t.Helper()
	select {
	case u := <-w.updates:
		switch {
		case u.Synced:
			return "synced"
		case u.Removed:
			return u.Key + " removed"
		default:
			return u.Key + "=" + u.Value.ID
		}
	case err := <-w.ended:
		t.Fatalf("watch ended: %v", err)
	case <-time.After(patience):
		t.Fatal("no update")
	}
	return ""
}

func (w watching) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, s := range want {
		if got := w.next(t); got != s {
			t.Fatalf("update %q, want %q", got, s)
		}
	}
}

func (w watching) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		t.Fatal("watch did not end")
		return nil
	}
}

func create(t *testing.T, table *state.Table[state.Request], key, id string) state.Record[state.Request] {
	t.Helper()
	r, err := table.Create(t.Context(), point, key, request(id))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWatchTellsWhatIsAndWhatChanges(t *testing.T) {
	_, st := start(t)
	empty := watch(t, st.Requests, ">")
	empty.expect(t, "synced")
	a := create(t, st.Requests, "a.1", "one")
	create(t, st.Requests, "b.1", "other")
	empty.expect(t, "a.1=one", "b.1=other")

	w := watch(t, st.Requests, "a.>")
	w.expect(t, "a.1=one", "synced")
	a.Value.ID = "two"
	a, err := st.Requests.Put(t.Context(), point, a)
	if err != nil {
		t.Fatal(err)
	}
	w.expect(t, "a.1=two")
	if err := st.Requests.Delete(t.Context(), point, a); err != nil {
		t.Fatal(err)
	}
	w.expect(t, "a.1 removed")
	create(t, st.Requests, "a.1", "three")
	w.expect(t, "a.1=three")
	for _, each := range []watching{empty, w} {
		each.stop()
		if err := each.end(t); err != nil {
			t.Errorf("Watch = %v after its context ended, want nil", err)
		}
	}
}

// A watch that lives through an outage would miss what it cannot know of: it
// ends, and the next one tells everything.
func TestWatchEndsWithTheBroker(t *testing.T) {
	srv, st := start(t)
	create(t, st.Requests, "a", "one")
	w := watch(t, st.Requests, ">")
	w.expect(t, "a=one", "synced")
	srv.Restart(t)
	if err := w.end(t); err == nil {
		t.Error("Watch = nil, want an error")
	}
	until(t, "written after the restart", func() bool {
		_, err := st.Requests.Create(t.Context(), point, "b", request("two"))
		return err == nil
	})
	w = watch(t, st.Requests, ">")
	w.expect(t, "a=one", "b=two", "synced")
	w.stop()
	if err := w.end(t); err != nil {
		t.Error(err)
	}
}

func TestWatchDoesNotBeginWithoutTheBroker(t *testing.T) {
	srv, st := start(t)
	srv.Stop()
	if err := watch(t, st.Requests, ">").end(t); err == nil {
		t.Error("Watch = nil, want an error")
	}
}

// A callback that takes its time holds up the client, but loses nothing.
func TestSlowWatcherMissesNothing(t *testing.T) {
	_, st := start(t)
	const records = 400 // more than the client buffers
	begin := make(chan struct{})
	seen := make(chan string, records)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- st.Requests.Watch(ctx, ">", func(u update) {
			<-begin
			if !u.Synced {
				seen <- u.Key
			}
		})
	}()
	for n := range records {
		create(t, st.Requests, fmt.Sprintf("r%d", n), "x")
	}
	close(begin)
	got := map[string]bool{}
	late := time.After(patience)
	for len(got) < records {
		select {
		case key := <-seen:
			got[key] = true
		case <-late:
			t.Fatalf("%d records of %d", len(got), records)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
