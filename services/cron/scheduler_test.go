package cron

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const day = 24 * time.Hour

// noon is when the tests' clocks begin.
func noon() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func every(days int) []config.Rule {
	return []config.Rule{{Name: "r", Registry: "hub", Schedule: config.Schedule{EveryDays: days}}}
}

// days are due times at noon, counted from the first day.
func days(n ...int) []time.Time {
	var out []time.Time
	for _, d := range n {
		out = append(out, noon().Add(time.Duration(d)*day))
	}
	return out
}

func (r *rig) want(dues []time.Time) {
	r.t.Helper()
	if diff := cmp.Diff(dues, r.sweeps()); diff != "" {
		r.t.Errorf("sweeps (-want +got):\n%s", diff)
	}
}

func TestBaselineAtOnceThenEveryPeriod(t *testing.T) {
	r := newRig(t)
	s := r.replica(nil)
	look(t.Context(), s, every(7), noon())
	look(t.Context(), s, every(7), noon().Add(time.Second))
	r.want(days(0))
	look(t.Context(), s, every(7), noon().Add(7*day-time.Second))
	r.want(days(0))
	look(t.Context(), s, every(7), noon().Add(7*day+time.Minute)) // late, yet due at its time
	r.want(days(0, 7))
	look(t.Context(), s, every(2), noon().Add(9*day)) // another period counts from the last
	r.want(days(0, 7, 9))
	if r.messages != 3 {
		t.Errorf("%d messages, want 3", r.messages)
	}
}

func TestTimeOfDayWaitsForIt(t *testing.T) {
	r := newRig(t)
	s := r.replica(nil)
	rules := []config.Rule{{Name: "r", Schedule: config.Schedule{EveryDays: 1, At: "02:00", Timezone: "Europe/Berlin"}}}
	look(t.Context(), s, rules, noon())
	r.want(nil)
	due := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)
	look(t.Context(), s, rules, due.Add(-time.Second))
	r.want(nil)
	look(t.Context(), s, rules, due)
	look(t.Context(), s, rules, due.Add(time.Hour))
	r.want([]time.Time{due})
	look(t.Context(), s, rules, due.Add(5*day+time.Hour)) // away for days
	r.want([]time.Time{due, due.Add(5 * day)})
}

func TestOnlyTheLatestMissedIsCaughtUp(t *testing.T) {
	r := newRig(t)
	look(t.Context(), r.replica(nil), every(1), noon())
	for range 3 {
		look(t.Context(), r.replica(nil), every(1), noon().Add(5*day+time.Hour))
	}
	r.want(days(0, 5))
}

func TestARuleThatIsWrongStopsNoOther(t *testing.T) {
	r := newRig(t)
	rules := append([]config.Rule{{Name: "Not A Name", Schedule: config.Schedule{EveryDays: 1}}}, every(1)...)
	look(t.Context(), r.replica(nil), rules, noon())
	r.want(days(0))
}

// A crash at any point leaves a due time that the next replica finishes, also
// when the broker has forgotten the first message's id.
func TestCrashAtEachPoint(t *testing.T) {
	for _, p := range []failpoint.Point{failpoint.CronPublish, failpoint.CronCursor} {
		for _, m := range []failpoint.Moment{failpoint.Before, failpoint.After} {
			t.Run(string(p)+":"+string(m), func(t *testing.T) {
				r := newRig(t)
				dying, next := r.replica(crash(p, m)), r.replica(nil)
				r.shortenWindow()
				look(t.Context(), dying, every(1), noon())
				r.work()
				r.passWindow()
				look(t.Context(), next, every(1), noon().Add(time.Minute))
				if len(r.sweeps()) != 1 {
					t.Errorf("sweeps %v, want one", r.sweeps())
				}
				r.passWindow()
				look(t.Context(), next, every(1), noon().Add(time.Hour))
				if len(r.sweeps()) != 1 {
					t.Errorf("later: sweeps %v, want one", r.sweeps())
				}
			})
		}
	}
}

// A replica that is stopped just before it publishes, and goes on days later,
// asks again for what has been done; its cursor comes too late as well.
func TestPausedPastTheDuplicateWindow(t *testing.T) {
	r := newRig(t)
	reached, resume := make(chan struct{}), make(chan struct{})
	paused := r.replica(func(p failpoint.Point, m failpoint.Moment) {
		if p == failpoint.CronPublish && m == failpoint.Before {
			close(reached)
			<-resume
		}
	})
	other := r.replica(nil)
	r.shortenWindow()
	var running sync.WaitGroup
	running.Go(func() { paused.look(t.Context(), every(1), noon()) })
	<-reached
	for d := range 3 {
		look(t.Context(), other, every(1), noon().Add(time.Duration(d)*day))
	}
	r.want(days(0, 1, 2))
	r.passWindow()
	close(resume)
	running.Wait()
	r.want(days(0, 1, 2))
	if r.messages != 4 {
		t.Errorf("%d messages, want 4: the window should have been over", r.messages)
	}
	due, err := r.store.Dues.Get(t.Context(), "r")
	if err != nil || !due.Value.Last.Equal(noon().Add(2*day)) {
		t.Errorf("cursor %v, %v: it went back", due.Value.Last, err)
	}
	look(t.Context(), paused, nil, noon())
	look(t.Context(), other, every(1), noon().Add(2*day+time.Hour))
	r.want(days(0, 1, 2))
}

// Many replicas, dying at random points all the time and now and then all away
// for days: one sweep for each due time at which somebody was there.
func TestReplicasDyingAtRandom(t *testing.T) {
	r := newRig(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	replicas := make([]*scheduler, 4)
	for i := range replicas {
		replicas[i] = r.replica(func(failpoint.Point, failpoint.Moment) {
			mu.Lock()
			dies := dice.IntN(3) == 0
			mu.Unlock()
			if dies {
				runtime.Goexit()
			}
		})
	}
	survivor := r.replica(nil)
	r.shortenWindow()
	rules := every(1)
	// The first look settles the anchor; dying replicas meet it from then on.
	look(t.Context(), survivor, rules, noon())
	want := days(0)
	for d, away := 1, 0; d <= 30; d++ {
		if away > 0 {
			away--
			continue
		}
		now := noon().Add(time.Duration(d)*day + time.Hour)
		var running sync.WaitGroup
		for _, s := range replicas {
			running.Go(func() { look(t.Context(), s, rules, now) })
		}
		running.Wait()
		if d%5 == 0 {
			r.work()
			r.passWindow()
		}
		look(t.Context(), survivor, rules, now.Add(time.Minute))
		want = append(want, days(d)...)
		if d%7 == 0 {
			away = 2
		}
	}
	r.want(want)
	if r.messages < len(want) {
		t.Errorf("%d messages for %d sweeps", r.messages, len(want))
	}
}

func TestTimetable(t *testing.T) {
	tt := &timetable{changed: make(chan struct{}, 1)}
	if _, known := tt.rules(); tt.ready() == nil || known {
		t.Error("ready before anything is known")
	}
	tt.setRules(map[string]state.Managed[config.Rule]{
		"a": {Value: config.Rule{Name: "a"}},
		"b": {Value: config.Rule{Name: "b", Schedule: config.Schedule{EveryDays: 2}}},
		"c": {Value: config.Rule{Name: "c", Schedule: config.Schedule{At: "02:00"}}},
	})
	if _, known := tt.rules(); tt.ready() == nil || known {
		t.Error("ready before the defaults are known")
	}
	tt.setDefaults(map[string]config.Defaults{state.DefaultsKey: {EveryDays: 14}})
	if err := tt.ready(); err != nil {
		t.Error(err)
	}
	<-tt.changed
	got := map[string]config.Schedule{}
	rules, _ := tt.rules()
	for _, r := range rules {
		got[r.Name] = r.Schedule
	}
	want := map[string]config.Schedule{"a": {EveryDays: 14}, "b": {EveryDays: 2}, "c": {EveryDays: 1, At: "02:00"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
