package project

import (
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// statusOf is the state of an image's newest scan, from its job where that is
// not ended and else from what the scans left behind; either may be missing.
func statusOf(i *state.Image, j *state.Job) verdict.Status {
	if j != nil && !j.State.Terminal() {
		return working(i, j)
	}
	if j != nil && j.State == state.JobFailed && (i == nil || i.Generation <= j.Generation) {
		return verdict.Failed
	}
	switch {
	case i == nil:
		return verdict.Unscanned
	case i.Status == verdict.Failed && (i.Error != "" || i.Generation > 0):
		return verdict.Failed
	case i.Report != "" && i.Database != "":
		return verdict.Completed
	case i.Inventory != "": // compared with no database: nothing is known
		return verdict.Scanned
	default:
		return verdict.Unscanned
	}
}

// working is the status while a job is queued or running.
func working(i *state.Image, j *state.Job) verdict.Status {
	if j.State == state.JobQueued {
		return verdict.Pending
	}
	if i != nil && i.Generation == j.Generation && (i.Status == verdict.Scanned || i.Status == verdict.Checking) {
		return i.Status
	}
	return verdict.Scanning
}

// errorOf is why the newest scan failed, or what the last of its attempts ended
// with while another is to come.
func errorOf(status verdict.Status, i *state.Image, j *state.Job) string {
	if j != nil && j.Error != "" && (j.State == state.JobFailed || !j.State.Terminal()) {
		return j.Error
	}
	if status == verdict.Failed && i != nil {
		return i.Error
	}
	return ""
}
