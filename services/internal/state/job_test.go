package state_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const lease = 30 * time.Second

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func wants(id string, lane events.Lane) state.Requester { return state.Requester{ID: id, Lane: lane} }

// job is a job that one requester asked for at noon, after the steps.
func job(steps ...func(*state.Job)) state.Job {
	var j state.Job
	j.Request(wants("a", events.LaneSweep), noon)
	for _, s := range steps {
		s(&j)
	}
	return j
}

func claimed(j *state.Job)   { j.Claim("w1", noon, lease) }
func done(j *state.Job)      { j.End(state.JobDone, "", noon.Add(time.Second)) }
func cancelled(j *state.Job) { j.Withdraw("a", noon.Add(time.Second)) }
func paused(j *state.Job)    { j.Release(noon, time.Minute, "refused") }

func TestRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		job        state.Job
		by         state.Requester
		wake       bool
		state      state.JobState
		generation uint64
		lane       events.Lane
		requesters []string
	}{
		{"new", state.Job{}, wants("a", events.LaneSweep), true, state.JobQueued, 1, events.LaneSweep, []string{"a"}},
		{"joins", job(), wants("b", events.LaneSweep), false, state.JobQueued, 1, events.LaneSweep, []string{"a", "b"}},
		{"joins in a slower lane", job(func(j *state.Job) { j.Lane = events.LanePush }), wants("b", events.LaneDemand), false, state.JobQueued, 1, events.LanePush, []string{"a", "b"}},
		{"raises the lane", job(), wants("b", events.LanePush), true, state.JobQueued, 1, events.LanePush, []string{"a", "b"}},
		{"is here already", job(), wants("a", events.LaneSweep), true, state.JobQueued, 1, events.LaneSweep, []string{"a"}},
		{"joins a running job", job(claimed), wants("b", events.LanePush), false, state.JobRunning, 1, events.LanePush, []string{"a", "b"}},
		{"restarts a done job", job(claimed, done), wants("b", events.LaneDemand), true, state.JobQueued, 2, events.LaneDemand, []string{"b"}},
		{"restarts a cancelled job", job(cancelled), wants("b", events.LaneSweep), true, state.JobQueued, 3, events.LaneSweep, []string{"b"}},
		{"comes again after a done job", job(claimed, done), wants("a", events.LanePush), false, state.JobDone, 1, events.LaneSweep, []string{"a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := tt.job
			if wake := j.Request(tt.by, noon); wake != tt.wake {
				t.Errorf("wake = %t, want %t", wake, tt.wake)
			}
			if j.State != tt.state || j.Generation != tt.generation || j.Lane != tt.lane {
				t.Errorf("%s, generation %d, lane %s; want %s, %d, %s", j.State, j.Generation, j.Lane, tt.state, tt.generation, tt.lane)
			}
			if got := names(j); !slices.Equal(got, tt.requesters) {
				t.Errorf("requesters %v, want %v", got, tt.requesters)
			}
		})
	}
}

func names(j state.Job) []string {
	var ids []string
	for _, r := range j.Requesters {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestRestartForgetsTheLastRun(t *testing.T) {
	t.Parallel()
	j := job(claimed)
	j.Attempts = state.Attempts{Errors: 2, Crashes: 1}
	j.End(state.JobFailed, "refused", noon)
	j.Announced = true
	later := noon.Add(time.Hour)
	j.Request(wants("b", events.LanePush), later)
	want := state.Job{
		State: state.JobQueued, Generation: 2, Lane: events.LanePush,
		Requesters: []state.Requester{wants("b", events.LanePush)},
		QueuedAt:   later, Deadline: later.Add(state.JobDeadline),
	}
	if diff := cmp.Diff(want, j); diff != "" {
		t.Error(diff)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		job     state.Job
		worker  string
		at      time.Duration
		ok      bool
		crashes int
	}{
		{"queued", job(), "w1", 0, true, 0},
		{"never asked for", state.Job{}, "w1", 0, false, 0},
		{"held by another", job(claimed), "w2", lease - 1, false, 0},
		{"held by itself", job(claimed), "w1", lease - 1, false, 0},
		{"lease ran out", job(claimed), "w2", lease, true, 1},
		{"own lease ran out", job(claimed), "w1", lease, true, 1},
		{"done", job(claimed, done), "w1", time.Hour, false, 0},
		{"cancelled", job(cancelled), "w1", time.Hour, false, 0},
		{"cancelled while it ran", job(claimed, cancelled), "w2", time.Hour, false, 0},
		{"pauses", job(claimed, paused), "w1", time.Minute - 1, false, 0},
		{"pause is over", job(claimed, paused), "w2", time.Minute, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j, now := tt.job, noon.Add(tt.at)
			if ok := j.Claim(tt.worker, now, lease); ok != tt.ok {
				t.Fatalf("Claim = %t, want %t", ok, tt.ok)
			}
			if !tt.ok {
				if diff := cmp.Diff(tt.job, j); diff != "" {
					t.Errorf("a refused claim changed the job: %s", diff)
				}
				return
			}
			want := state.Lease{Holder: tt.worker, Until: now.Add(lease)}
			if j.State != state.JobRunning || j.Lease != want || !j.StartedAt.Equal(now) || j.Attempts.Crashes != tt.crashes {
				t.Errorf("claimed as %+v", j)
			}
		})
	}
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	both := func(j *state.Job) { j.Request(wants("b", events.LaneSweep), noon) }
	tests := []struct {
		name       string
		job        state.Job
		id         string
		cancelled  bool
		state      state.JobState
		generation uint64
	}{
		{"the last", job(), "a", true, state.JobCancelled, 2},
		{"the last of a running job", job(claimed), "a", true, state.JobCancelled, 2},
		{"one of two", job(both), "a", false, state.JobQueued, 1},
		{"a stranger", job(), "x", false, state.JobQueued, 1},
		{"of a done job", job(claimed, done), "a", false, state.JobDone, 1},
		{"twice", job(cancelled), "a", false, state.JobCancelled, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j := tt.job
			if got := j.Withdraw(tt.id, noon); got != tt.cancelled {
				t.Errorf("cancelled = %t, want %t", got, tt.cancelled)
			}
			if j.State != tt.state || j.Generation != tt.generation || slices.Contains(names(j), tt.id) {
				t.Errorf("%s, generation %d, requesters %v", j.State, j.Generation, names(j))
			}
		})
	}
}

func TestTerminalJobStaysAsItEnded(t *testing.T) {
	t.Parallel()
	for _, ended := range []state.Job{job(claimed, done), job(claimed, cancelled)} {
		j := ended
		j.End(state.JobFailed, "too late", noon.Add(time.Hour))
		j.Release(noon.Add(time.Hour), 0, "too late")
		if diff := cmp.Diff(ended, j); diff != "" {
			t.Errorf("%s job changed: %s", ended.State, diff)
		}
	}
}

func TestExhausted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		attempts state.Attempts
		at       time.Duration
		want     string
	}{
		{"fresh", state.Attempts{}, 0, ""},
		{"once more", state.Attempts{Errors: state.MaxErrors - 1, Crashes: state.MaxCrashes - 1}, state.JobDeadline, ""},
		{"errors", state.Attempts{Errors: state.MaxErrors}, 0, "five attempts failed"},
		{"crashes", state.Attempts{Crashes: state.MaxCrashes}, 0, "the worker died three times while scanning it"},
		{"deadline", state.Attempts{}, state.JobDeadline + 1, "it was not finished within its deadline"},
	}
	for _, tt := range tests {
		j := job(func(j *state.Job) { j.Attempts = tt.attempts })
		if got := j.Exhausted(noon.Add(tt.at)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if state.LoneCrashes >= state.MaxCrashes {
		t.Error("a job would fail before it ran alone")
	}
}

func TestWakeUpAndRules(t *testing.T) {
	t.Parallel()
	j := job()
	j.Digest, j.Platform, j.Pool = "sha256:ab", events.Platform{OS: "linux", Architecture: "arm64"}, "any"
	j.Requesters = []state.Requester{{ID: "1", Rules: []string{"nightly", "base"}}, {ID: "2", Rules: []string{"base"}}}
	want := events.ScanRequested{Digest: "sha256:ab", Generation: 1, Lane: events.LaneSweep, OS: "linux", Pool: "any"}
	if diff := cmp.Diff(want, j.WakeUp()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"base", "nightly"}, j.Rules()); diff != "" {
		t.Error(diff)
	}
}
