package registries

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// workers are budgets of one registry in as many workers, on one clock.
type workers struct {
	*testing.T

	st  *state.Store
	now time.Time
	all []*budget
}

func newWorkers(t *testing.T, n int) *workers {
	t.Helper()
	st, err := state.Open(t.Context(), natstest.Bus(t, natstest.Start(t), "worker"))
	if err != nil {
		t.Fatal(err)
	}
	w := &workers{T: t, st: st, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range n {
		b := newBudget(st, config.Registry{Name: "hub"}, string(rune('a'+i)), zap.NewNop())
		b.now = func() time.Time { return w.now }
		w.all = append(w.all, b)
	}
	return w
}

// record is what all workers read of the registry's pause, and every worker
// hears of it.
func (w *workers) record() state.Pause {
	w.Helper()
	rec, err := w.st.Pauses.Get(w.Context(), "hub")
	if err != nil {
		w.Fatal(err)
	}
	for _, b := range w.all {
		b.hear(rec.Value)
	}
	return rec.Value[string(registry.Everything)]
}

// refused has a worker be refused now, without a word of how long.
func (w *workers) refused(n int) state.Pause {
	w.Helper()
	w.all[n].Rest(w.Context(), registry.Pause{First: 5 * time.Second, Of: registry.Pulls, Sent: w.now, Why: "status 429"})
	return w.record()
}

// TestSilentRefusalsAreCountedTogether has the workers refused in turn: each
// rest is longer than the last, whoever was refused then, holds for all, and is
// short again once one of them was answered.
func TestSilentRefusalsAreCountedTogether(t *testing.T) {
	w := newWorkers(t, 3)
	last := time.Duration(0)
	for n := 1; n <= 12; n++ {
		got := w.refused(n % len(w.all))
		length := got.Until.Sub(w.now)
		if full := min(5*time.Second<<(n-1), 15*time.Minute); got.Refusals != n || length > full || length < full*3/4 || full < 15*time.Minute && length <= last {
			t.Fatalf("refusal %d (counted as %d) rests %s after %s", n, got.Refusals, length, last)
		}
		if again := w.refused((n + 1) % len(w.all)); again != got { // it was sent when the first one was
			t.Fatalf("another worker's request of that moment made it %+v", again)
		}
		w.now = got.Until.Add(-time.Millisecond)
		for i, b := range w.all {
			if _, err := b.Wait(t.Context(), registry.Listings); !errors.Is(err, registry.ErrPaused) {
				t.Fatalf("worker %d does not rest: %v", i, err)
			}
		}
		w.now, last = got.Until, length
	}
	w.all[0].Answered(t.Context(), registry.Everything, w.now)
	if n := w.record().Refusals; n != 12 {
		t.Errorf("an answer to something else left %d refusals, want 12", n)
	}
	w.all[1].Answered(t.Context(), registry.Pulls, w.now)
	if n := w.record().Refusals; n != 0 {
		t.Errorf("an answer left %d refusals, want none", n)
	}
	if got := w.refused(2); got.Refusals != 1 || got.Until.Sub(w.now) > 5*time.Second {
		t.Errorf("the next refusal counts as %d and rests %s", got.Refusals, got.Until.Sub(w.now))
	}
}

// TestSilentRefusalsOfARegistry goes through a real registry: what it refuses
// stands in the record, and what it then answers ends it.
func TestSilentRefusalsOfARegistry(t *testing.T) {
	st, err := state.Open(t.Context(), natstest.Bus(t, natstest.Start(t), "worker"))
	if err != nil {
		t.Fatal(err)
	}
	for status, first := range map[int]time.Duration{http.StatusTooManyRequests: 5 * time.Second, http.StatusServiceUnavailable: time.Second} {
		name := "hub" + http.StatusText(status)[:1]
		l, address := serveLimiting(t)
		reg := config.Registry{Name: name, Address: address}
		if _, err := st.Registries.Create(t.Context(), failpoint.ConfigRegistry, name, state.Managed[config.Registry]{Value: reg}); err != nil {
			t.Fatal(err)
		}
		worker := follow(t, st)
		digest := head(t, worker, name).Digest
		record := func() state.Pause {
			t.Helper()
			rec, err := st.Pauses.Get(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return rec.Value[string(registry.Everything)]
		}
		// Two more have come before: the next rest is four times the first.
		_, err := st.Pauses.Create(t.Context(), failpoint.RegistryBudget, name, state.Pauses{"": {
			Until: time.Now(), To: reg.Host() + " ", Refusals: 2, Of: string(registry.Pulls),
		}})
		if err != nil {
			t.Fatal(err)
		}
		toldOf(t, worker, name)
		l.fill(limit{status: status})
		before := time.Now()
		if err := pull(t, worker, name, digest); !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrPaused) != (status == http.StatusTooManyRequests) {
			t.Fatalf("%d: got %v", status, err)
		}
		if got := record(); got.Refusals != 3 || got.Until.Sub(before) < 3*first {
			t.Errorf("%d: the record is %+v, want a third rest of some %s", status, got, 4*first)
		}
		if err := pull(t, worker, name, digest); !errors.Is(err, registry.ErrPaused) || l.seen() != 1 {
			t.Errorf("%d: got %v after %d requests, want a pause after one", status, err, l.seen())
		}
		// A worker that comes when the rest is over, to a registry that answers.
		rec, err := st.Pauses.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		over := rec.Value[""]
		over.Until = time.Now()
		rec.Value = state.Pauses{"": over}
		if _, err := st.Pauses.Put(t.Context(), failpoint.RegistryBudget, rec); err != nil {
			t.Fatal(err)
		}
		l.fill(limit{})
		later := follow(t, st)
		head(t, later, name)
		if got := record(); got.Refusals != 3 {
			t.Errorf("%d: a tag's digest is no pull, yet the record is %+v", status, got)
		}
		if err := pull(t, later, name, digest); err != nil {
			t.Fatal(err)
		}
		if got := record(); got.Refusals != 0 {
			t.Errorf("%d: the registry has answered, and the record is %+v", status, got)
		}
	}
}
