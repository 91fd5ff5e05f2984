package state

import (
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// JobState is where a job stands.
type JobState string

// The job states. Done, failed and cancelled are terminal.
const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// Terminal reports whether nothing happens to the job by itself any more.
func (s JobState) Terminal() bool {
	return s == JobDone || s == JobFailed || s == JobCancelled
}

// Requester is somebody who wants the scan.
type Requester struct {
	// ID is the fact, sweep or request behind it: adding it twice adds it once.
	ID   string      `json:"id"`
	Lane events.Lane `json:"lane"`
	// Where the image was asked for; a scan reads from the first that works.
	Registry   string    `json:"registry"`
	Repository string    `json:"repository"`
	Rules      []string  `json:"rules,omitempty"`
	At         time.Time `json:"at"`
	// Refetch says that a layer read before is to be read again; zero: none is.
	Refetch time.Time `json:"refetch,omitzero"`
}

// Attempts counts what has happened to a job, by cause. Waiting for a
// registry's pause, for a layer another worker reads, or for a shutdown is
// none of them.
type Attempts struct {
	Errors  int `json:"errors,omitempty"`  // ended with an error
	Crashes int `json:"crashes,omitempty"` // started and never ended
}

// Job is the work on one platform manifest: the truth of what is to be done,
// for whom, and how often it was tried. Wake-ups only say "look here".
type Job struct {
	Digest events.Digest `json:"digest"`
	State  JobState      `json:"state"`
	// Generation rises with each new start after a terminal state and with
	// each cancellation: work of an older one is dropped.
	Generation uint64          `json:"generation"`
	Lane       events.Lane     `json:"lane"`
	Platform   events.Platform `json:"platform"`
	Pool       string          `json:"pool"`
	Requesters []Requester     `json:"requesters,omitempty"`
	// Withdrawn are the newest ids of those who no longer want the scan: a
	// repeated delivery of their wish brings nothing back.
	Withdrawn []string  `json:"withdrawn,omitempty"`
	Attempts  Attempts  `json:"attempts"`
	Lease     Lease     `json:"lease,omitzero"`
	QueuedAt  time.Time `json:"queuedAt"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	NotBefore time.Time `json:"notBefore,omitzero"` // pause before the next attempt
	Deadline  time.Time `json:"deadline"`           // then it fails, whatever the cause
	Error     string    `json:"error,omitempty"`    // of the last attempt
	// Class is what kind of failure Error tells of.
	Class FailureClass `json:"class,omitempty"`
	// Dead says that the job was tried too often: it becomes a dead letter.
	Dead bool `json:"dead,omitempty"`
	// Announced says that the terminal state was published.
	Announced bool `json:"announced,omitempty"`
}

// How often a job is tried.
const (
	MaxErrors  = 5
	MaxCrashes = 3
	// LoneCrashes is how many crashes make a job run alone in its worker, in
	// case it is what kills it.
	LoneCrashes = 2
	// JobDeadline is how long a job may take from its queueing, everything
	// included.
	JobDeadline = 24 * time.Hour
)

// FailureClass is a kind of failure, by what a person can do about it.
type FailureClass string

// The classes.
const (
	FailureUnavailable  FailureClass = "unavailable"  // the registry did not answer
	FailureUnauthorized FailureClass = "unauthorized" // the registry did not let us
	FailureUnusable     FailureClass = "unusable"     // the registry is not configured so that it can be asked
	FailureGone         FailureClass = "gone"         // the registry has it no more
	FailureInvalid      FailureClass = "invalid"      // a manifest or layer is not what it claims to be
	FailureTooLarge     FailureClass = "too-large"    // it is over a limit of ours
	FailureUnsupported  FailureClass = "unsupported"  // its form is not known here
	FailureDeadline     FailureClass = "deadline"     // it was not done in time
	FailureCrash        FailureClass = "crash"        // workers died of it
	FailureOther        FailureClass = "other"
)

// mostRequesters keeps a record small. Whoever comes when the list is full is
// served with the others, but cannot keep the job from being cancelled by them.
const mostRequesters = 1000

// Request adds r to the job, making it queued where it was new, or terminal
// without r having asked for it. It reports whether a wake-up is due: the job
// is newly queued, goes in a faster lane now, or r was here before, whose
// wake-up may not have been published.
func (j *Job) Request(r Requester, now time.Time) (wake bool) {
	known := slices.ContainsFunc(j.Requesters, func(o Requester) bool { return o.ID == r.ID })
	if slices.Contains(j.Withdrawn, r.ID) || j.State.Terminal() && known {
		return false // a repeated delivery starts nothing again
	}
	if j.State == "" || j.State.Terminal() {
		j.restart(r, now)
		return true
	}
	if !known && len(j.Requesters) < mostRequesters {
		j.Requesters = append(j.Requesters, r)
	}
	raised := r.Lane.Faster(j.Lane)
	if raised {
		j.Lane = r.Lane
	}
	return j.State == JobQueued && (known || raised)
}

func (j *Job) restart(r Requester, now time.Time) {
	j.Generation++
	j.State = JobQueued
	j.Lane = r.Lane
	j.Requesters = []Requester{r}
	j.Attempts = Attempts{}
	j.Lease = Lease{}
	j.QueuedAt, j.StartedAt, j.EndedAt, j.NotBefore = now, time.Time{}, time.Time{}, time.Time{}
	j.Deadline = now.Add(JobDeadline)
	j.Error, j.Class = "", ""
	j.Announced, j.Dead = false, false
}

// Withdraw removes a requester. The job is cancelled, and its generation
// raised, when none is left.
func (j *Job) Withdraw(id string, now time.Time) (cancelled bool) {
	j.Requesters = slices.DeleteFunc(j.Requesters, func(r Requester) bool { return r.ID == id })
	if !slices.Contains(j.Withdrawn, id) {
		j.Withdrawn = append(j.Withdrawn, id)
		j.Withdrawn = j.Withdrawn[max(0, len(j.Withdrawn)-mostRequesters):]
	}
	if len(j.Requesters) > 0 || j.State.Terminal() {
		return false
	}
	j.Generation++
	j.End(JobCancelled, "", now)
	return true
}

// Claim gives the job to a worker until the lease ends. A job found running
// under a lease that ran out has crashed its last holder: see Exhausted before
// working on it. It reports false for a job that is not to be worked on now,
// also to the worker that holds it: a second wake-up must not start it twice.
func (j *Job) Claim(worker string, now time.Time, lease time.Duration) bool {
	live := j.State == JobQueued || j.State == JobRunning
	if !live || now.Before(j.Lease.Until) || now.Before(j.NotBefore) {
		return false
	}
	if j.State == JobRunning {
		j.Attempts.Crashes++
	}
	j.State = JobRunning
	j.StartedAt = now
	j.Lease = Lease{Holder: worker, Until: now.Add(lease)}
	return true
}

// Release gives the job back: it is queued again, not before the pause is
// over. It does nothing to a job that is not running.
func (j *Job) Release(now time.Time, pause time.Duration, reason string) {
	if j.State != JobRunning {
		return
	}
	j.State = JobQueued
	j.Lease = Lease{}
	j.NotBefore = now.Add(pause)
	j.Error = reason
}

// End makes the job terminal. It does nothing to one that is: a result that
// comes too late does not undo a cancellation.
func (j *Job) End(s JobState, reason string, now time.Time) {
	if j.State.Terminal() {
		return
	}
	j.State = s
	j.Lease = Lease{}
	j.EndedAt = now
	j.Error = reason
	if s != JobFailed {
		j.Class = ""
	}
	j.Announced = false
}

// Exhausted reports why the job is not to be tried again, or nothing.
func (j *Job) Exhausted(now time.Time) string {
	switch {
	case j.Attempts.Crashes >= MaxCrashes:
		return "the worker died three times while scanning it"
	case j.Attempts.Errors >= MaxErrors:
		return "five attempts failed"
	case now.After(j.Deadline):
		return "it was not finished within its deadline"
	default:
		return ""
	}
}

// WakeUp is the event that makes a worker look at the job.
func (j *Job) WakeUp() events.ScanRequested {
	return events.ScanRequested{
		Digest: j.Digest, Generation: j.Generation, Lane: j.Lane, OS: j.Platform.OS, Pool: j.Pool,
	}
}

// Refetch is the moment before which no layer may have been read; zero: any may.
func (j *Job) Refetch() time.Time {
	var latest time.Time
	for _, r := range j.Requesters {
		if r.Refetch.After(latest) {
			latest = r.Refetch
		}
	}
	return latest
}

// Rules names the rules that asked for the scan, each once, sorted.
func (j *Job) Rules() []string {
	var rules []string
	for _, r := range j.Requesters {
		rules = append(rules, r.Rules...)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}
