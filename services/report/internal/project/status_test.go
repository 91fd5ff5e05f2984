package project

import (
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

func TestStatusOf(t *testing.T) {
	job := func(s state.JobState, generation uint64) *state.Job {
		return &state.Job{State: s, Generation: generation}
	}
	done := &state.Image{Report: "sha256:x", Database: "db-1", Inventory: "sha256:y", Status: verdict.Completed, Generation: 1}
	for _, tt := range []struct {
		name  string
		image *state.Image
		job   *state.Job
		want  verdict.Status
	}{
		{"nothing known", nil, nil, verdict.Unscanned},
		{"seen only", &state.Image{Status: verdict.Unscanned}, nil, verdict.Unscanned},
		{"a record that says nothing", &state.Image{}, nil, verdict.Unscanned},
		{"queued", nil, job(state.JobQueued, 1), verdict.Pending},
		{"running", nil, job(state.JobRunning, 1), verdict.Scanning},
		{"read in this run", &state.Image{Status: verdict.Scanned, Generation: 2}, job(state.JobRunning, 2), verdict.Scanned},
		{"read in the run before", &state.Image{Status: verdict.Scanned, Generation: 1}, job(state.JobRunning, 2), verdict.Scanning},
		{"matching", &state.Image{Status: verdict.Checking, Generation: 2}, job(state.JobRunning, 2), verdict.Checking},
		{"completed", done, job(state.JobDone, 1), verdict.Completed},
		{"completed, its job forgotten", done, nil, verdict.Completed},
		{"completed and queued again", done, job(state.JobQueued, 2), verdict.Pending},
		{"failed at once", nil, job(state.JobFailed, 1), verdict.Failed},
		{"failed over an older report", done, job(state.JobFailed, 2), verdict.Failed},
		{"failed, its job forgotten", &state.Image{Status: verdict.Failed, Error: "why"}, nil, verdict.Failed},
		{"cancelled at once", nil, job(state.JobCancelled, 1), verdict.Unscanned},
		{"cancelled over an older report", done, job(state.JobCancelled, 2), verdict.Completed},
		{"compared with no database", &state.Image{Report: "sha256:x", Inventory: "sha256:y", Status: verdict.Scanned}, nil, verdict.Scanned},
		{"inventory without verdict", &state.Image{Inventory: "sha256:y", Status: verdict.Scanned}, nil, verdict.Scanned},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := statusOf(tt.image, tt.job); got != tt.want {
				t.Errorf("statusOf = %d, want %d", got, tt.want)
			}
		})
	}
}
