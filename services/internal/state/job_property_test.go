package state_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// world is one job's record with everybody who changes it, and beside it what
// should be true of it.
type world struct {
	t   *testing.T
	r   *rand.Rand
	now time.Time

	stored   state.Job // the record
	revision int
	depth    int // of changes that others make between a read and its write

	holds      map[string]hold // what each worker believes
	requesters []string        // since the last start, without the withdrawn
	open       bool            // claimed, and neither released nor ended
	crashes    int             // claims of this start that were open when the next came
	asked      int
}

type hold struct {
	generation uint64
	until      time.Time
}

// change is Table.Change: others may write between the read and the write,
// and then it begins again. applied tells the model of what was stored.
func (w *world) change(change func(*state.Job) bool, applied func(before, after state.Job)) {
	for {
		j, revision := w.stored, w.revision
		j.Requesters, j.Withdrawn = slices.Clone(j.Requesters), slices.Clone(j.Withdrawn)
		if !change(&j) {
			return
		}
		if w.depth < 3 && w.r.IntN(4) == 0 {
			w.depth++
			w.step()
			w.depth--
		}
		if w.revision != revision {
			continue
		}
		before := w.stored
		w.stored = j
		w.revision++
		applied(before, j)
		w.check(before, j)
		return
	}
}

func (w *world) check(before, after state.Job) {
	w.t.Helper()
	if after.Generation < before.Generation {
		w.t.Fatalf("generation fell from %d to %d", before.Generation, after.Generation)
	}
	if after.State == state.JobRunning && before.State != state.JobRunning && before.State != state.JobQueued {
		w.t.Fatalf("a %s job runs", before.State)
	}
	if before.State.Terminal() && after.State != before.State && after.Generation == before.Generation {
		w.t.Fatalf("a %s job became %s by itself", before.State, after.State)
	}
	if after.Attempts.Crashes != w.crashes {
		w.t.Fatalf("%d crashes counted, %d happened", after.Attempts.Crashes, w.crashes)
	}
	if after.Attempts.Crashes > state.MaxCrashes || after.Attempts.Errors > state.MaxErrors {
		w.t.Fatalf("tried on after %+v", after.Attempts)
	}
	if got := names(after); !slices.Equal(got, w.requesters) {
		w.t.Fatalf("requesters %v, want %v", got, w.requesters)
	}
	var holders []string
	for worker, h := range w.holds {
		if h.generation == after.Generation && w.now.Before(h.until) && after.State == state.JobRunning {
			holders = append(holders, worker)
		}
	}
	if len(holders) > 1 {
		w.t.Fatalf("held by %v at once", holders)
	}
}

func (w *world) step() {
	worker := fmt.Sprintf("w%d", w.r.IntN(3))
	switch w.r.IntN(8) {
	case 0:
		w.request()
	case 1, 2:
		w.claim(worker)
	case 3:
		w.release(worker)
	case 4:
		w.finish(worker)
	case 5:
		w.withdraw()
	case 6:
		w.renew(worker)
	default:
		w.now = w.now.Add(time.Duration(w.r.Int64N(int64(lease))))
		if w.r.IntN(3) == 0 {
			delete(w.holds, worker) // it crashed
		}
	}
}

func (w *world) request() {
	lane := events.Lanes()[w.r.IntN(len(events.Lanes()))]
	id := fmt.Sprintf("r%d", w.r.IntN(w.asked+1))
	w.asked++
	var wake bool
	w.change(func(j *state.Job) bool {
		wake = j.Request(wants(id, lane), w.now)
		return true
	}, func(before, after state.Job) {
		switch {
		case slices.Contains(before.Withdrawn, id):
			if wake || after.State != before.State || slices.Contains(names(after), id) {
				w.t.Fatal("a request that was withdrawn came back")
			}
			return
		case before.State.Terminal() && slices.Contains(w.requesters, id):
			if wake || after.State != before.State {
				w.t.Fatal("a request that was served began again")
			}
			return
		case after.Generation > before.Generation:
			w.requesters, w.crashes, w.open = []string{id}, 0, false
			if !wake {
				w.t.Fatal("a new start without a wake-up")
			}
		case !slices.Contains(w.requesters, id):
			w.requesters = append(w.requesters, id)
		case after.State == state.JobQueued && !wake:
			w.t.Fatal("a request that came again is not woken for")
		}
		if lane.Faster(after.Lane) {
			w.t.Fatalf("lane %s for a request in %s", after.Lane, lane)
		}
	})
}

func (w *world) claim(worker string) {
	var expired bool
	w.change(func(j *state.Job) bool {
		expired = j.State == state.JobRunning && !w.now.Before(j.Lease.Until)
		return j.Claim(worker, w.now, lease)
	}, func(_, after state.Job) {
		if w.open != expired {
			w.t.Fatalf("claimed while open = %t and lease ran out = %t", w.open, expired)
		}
		if w.open {
			w.crashes++
		}
		w.open = true
		// The time may have gone on between the read and the write.
		w.holds[worker] = hold{after.Generation, after.Lease.Until}
	})
	if w.stored.Lease.Holder == worker && w.stored.Exhausted(w.now) != "" {
		w.end(worker, state.JobFailed)
	}
}

// mine is what a worker asks before it writes.
func (w *world) mine(j *state.Job, worker string) bool {
	h, held := w.holds[worker]
	return held && j.State == state.JobRunning && j.Lease.Holder == worker && j.Generation == h.generation
}

func (w *world) release(worker string) {
	failed := w.r.IntN(2) == 0
	w.change(func(j *state.Job) bool {
		if !w.mine(j, worker) {
			return false
		}
		if failed {
			j.Attempts.Errors++
		}
		if j.Exhausted(w.now) != "" {
			j.End(state.JobFailed, "exhausted", w.now)
		} else {
			j.Release(w.now, time.Second, "refused")
		}
		return true
	}, func(_, _ state.Job) { w.closed(worker) })
}

func (w *world) finish(worker string) { w.end(worker, state.JobDone) }

func (w *world) end(worker string, as state.JobState) {
	w.change(func(j *state.Job) bool {
		if !w.mine(j, worker) {
			return false
		}
		j.End(as, "", w.now)
		return true
	}, func(_, _ state.Job) { w.closed(worker) })
}

func (w *world) closed(worker string) {
	w.open = false
	delete(w.holds, worker)
}

func (w *world) renew(worker string) {
	w.change(func(j *state.Job) bool {
		if !w.mine(j, worker) || !w.now.Before(j.Lease.Until) {
			return false
		}
		j.Lease.Until = w.now.Add(lease)
		return true
	}, func(_, after state.Job) { w.holds[worker] = hold{after.Generation, after.Lease.Until} })
}

func (w *world) withdraw() {
	id := fmt.Sprintf("r%d", w.r.IntN(w.asked+1))
	var cancelled bool
	w.change(func(j *state.Job) bool {
		if j.State == "" {
			return false
		}
		cancelled = j.Withdraw(id, w.now)
		return true
	}, func(before, after state.Job) {
		w.requesters = slices.DeleteFunc(w.requesters, func(r string) bool { return r == id })
		last := !before.State.Terminal() && len(w.requesters) == 0
		if cancelled != last || cancelled != (after.State == state.JobCancelled && before.State != state.JobCancelled) {
			w.t.Fatalf("cancelled = %t, from %s to %s with requesters %v", cancelled, before.State, after.State, w.requesters)
		}
		if cancelled {
			w.open = false
		}
	})
}

// Whatever order things happen in, the record stays what it promises.
func TestJobUnderRandomInterleavings(t *testing.T) {
	t.Parallel()
	reached := map[state.JobState]int{}
	var most state.Attempts
	for seed := range uint64(2000) {
		w := &world{t: t, r: rand.New(rand.NewPCG(seed, 1)), now: noon, holds: map[string]hold{}}
		for range 150 {
			w.step()
			reached[w.stored.State]++
			most.Crashes = max(most.Crashes, w.stored.Attempts.Crashes)
			most.Errors = max(most.Errors, w.stored.Attempts.Errors)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
	for _, s := range []state.JobState{state.JobQueued, state.JobRunning, state.JobDone, state.JobFailed, state.JobCancelled} {
		if reached[s] == 0 {
			t.Errorf("no run reached %s", s)
		}
	}
	if most.Crashes != state.MaxCrashes {
		t.Errorf("most attempts %+v: no run died as often as it may", most)
	}
}
