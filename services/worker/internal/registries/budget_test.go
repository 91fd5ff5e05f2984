package registries

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

func limited(rps float64) config.Registry {
	return config.Registry{Name: "hub", Limits: config.Limits{RequestsPerSecond: rps, Concurrency: 6}}
}

// However many workers lease in whatever order, all of them together stay below
// the rate: no lease begins before what was given out is over.
func TestLeasesKeepToTheRate(t *testing.T) {
	for _, rps := range []float64{0.2, 1, 20, 333} {
		random := rand.New(rand.NewPCG(1, uint64(rps*10)))
		begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		now := begun
		var workers []*budget
		for i := range 5 {
			workers = append(workers, newBudget(&state.Store{}, limited(rps), strconv.Itoa(i), zap.NewNop()))
		}
		var rec state.Budget
		given, last := 0, time.Time{}
		for range 1000 {
			from, until, n := workers[random.IntN(len(workers))].next(&rec, now)
			if from.Before(last) || from.Before(now) {
				t.Fatalf("%g/s: a lease from %s, when %s is given out already", rps, from, last)
			}
			given, last = given+n, until
			now = now.Add(time.Duration(random.Int64N(int64(time.Second))))
			if from.After(now) {
				now = from // whoever leased waits for it
			}
		}
		if most := rps * last.Sub(begun).Seconds(); float64(given) > most+1 {
			t.Errorf("%g/s: %d requests in %s", rps, given, last.Sub(begun))
		}
	}
}

// A clock that is far ahead does not keep the others waiting.
func TestLeaseOfAWrongClock(t *testing.T) {
	now := time.Now()
	rec := state.Budget{Next: now.Add(time.Hour)}
	if from, _, _ := newBudget(&state.Store{}, limited(20), "a", zap.NewNop()).next(&rec, now); from.After(now) {
		t.Errorf("the lease begins in %s", from.Sub(now))
	}
}

func TestBudgetIsShared(t *testing.T) {
	server := natstest.Start(t)
	st, err := state.Open(t.Context(), natstest.Bus(t, server, "worker"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := newBudget(st, limited(1000), "a", zap.NewNop()), newBudget(st, limited(1000), "b", zap.NewNop())
	share := func(w *budget) int {
		t.Helper()
		n, err := w.Wait(t.Context(), registry.Everything)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := share(a); n != 6 {
		t.Errorf("alone: %d in flight, want 6", n)
	}
	if n := share(b); n != 3 {
		t.Errorf("the second of two: %d in flight, want 3", n)
	}
	if a.until.After(b.from.Add(stale)) {
		t.Errorf("the leases overlap: until %s, from %s", a.until, b.from)
	}
	other := newBudget(st, config.Registry{Name: "other"}, "a", zap.NewNop())
	if n := share(other); n != 8 {
		t.Errorf("another registry: %d in flight, want 8", n)
	}
}

// Without the broker registries can still be read.
func TestBudgetWithoutItsRecord(t *testing.T) {
	server := natstest.Start(t)
	st, err := state.Open(t.Context(), natstest.Bus(t, server, "worker"))
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	w := newBudget(st, limited(1000), "a", zap.NewNop())
	w.workers = 3
	if n, err := w.Wait(t.Context(), registry.Everything); err != nil || n != 2 {
		t.Errorf("got %d, %v, want 2 in flight", n, err)
	}
}
