package sweep

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const (
	// patience is how long one turn waits for scans, all in all. A turn that
	// has waited gives its worker's slot to another sweep: scans that nobody
	// does must not stop the sweeps of other rules.
	patience = 2 * time.Second
	// mostHalted bounds the repositories whose rest is kept in memory.
	mostHalted = 64
)

// Why a turn ends, or cannot begin.
var (
	errWaiting = errors.New("the sweep waits for its scans")
	errTurn    = errors.New("it is the turn of other sweeps")
	errLine    = errors.New("other sweeps of the registry have their turn")
)

// pause is how long a sweep that waits for scans is left alone, longer the
// longer nothing has ended.
func pause(delivered uint64) time.Duration {
	const most = 2 * time.Second
	return min(poll<<min(delivered, 4), most)
}

// pace ends a turn that has had its share.
func (r *runner) pace() error {
	if r.Now().After(r.ends) {
		return errTurn
	}
	return nil
}

// repositoryWork is a repository being released: its images, and how far it is.
type repositoryWork struct {
	repository string
	memory     memory
	listed     bool        // all there is was looked at
	found      []candidate // that are to be scanned
	tags       int
	errs       []error
	done       int // of found
	images     int // in what is done
	// What was listed and is not scanned: why, and those of it that have no place.
	left   []state.LeftOut
	passed []state.Passed
	// immutable says that tags stay where they are, tagBytes what the remembered
	// ones take.
	immutable bool
	tagBytes  int
}

// halts keeps where a turn stopped within a repository, so that this worker's
// next turn need not ask the registry for all its tags again. It may be lost:
// whoever does not have it begins the repository anew, without harm.
type halts struct {
	mu    sync.Mutex
	works map[string]*repositoryWork // by the sweep's name as a requester
}

func (h *halts) keep(key string, w *repositoryWork) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.works == nil || len(h.works) >= mostHalted {
		h.works = map[string]*repositoryWork{}
	}
	h.works[key] = w
}

// take returns what was kept, nil where that was nothing or is of another
// repository: somebody else has gone on since.
func (h *halts) take(key, repository string) *repositoryWork {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.works[key]
	delete(h.works, key)
	if w == nil || w.repository != repository {
		return nil
	}
	return w
}

func (h *halts) has(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.works[key] != nil
}

// stuck reports whether a turn now would do nothing but wait. It writes
// nothing, so that a sweep whose scans nobody does costs little.
func (s *Sweeper) stuck(ctx context.Context, sw state.Sweep) (bool, error) {
	draining := sw.Phase == state.SweepScanning && len(sw.Outstanding) > 0
	full := sw.Phase == state.SweepListing && s.halted.has(sw.Requester()) && len(sw.Outstanding) >= limit(sw.Rule.Scanners)
	if !draining && !full {
		return false, nil
	}
	for _, d := range sw.Outstanding {
		f, _, err := s.fate(ctx, sw, d)
		if err != nil || f != pending {
			return false, err
		}
	}
	return true, nil
}

// fate is what became of a scan that the record says was released.
type fate int

const (
	pending    fate = iota
	succeeded       // or cancelled
	failed          // for good
	unreleased      // a turn ended between noting it and asking for it, or its job was cleared away since
)

// fate tells what became of a scan and, where it failed, how.
func (s *Sweeper) fate(ctx context.Context, sw state.Sweep, d events.Digest) (fate, state.FailureClass, error) {
	rec, err := s.State.Jobs.Get(ctx, d.Token())
	job := rec.Value
	switch {
	case errors.Is(err, state.ErrNotFound):
		return unreleased, "", nil
	case err != nil:
		return pending, "", err
	case !job.State.Terminal():
		return pending, "", nil
	case !asked(job, sw) && job.EndedAt.Before(sw.StartedAt):
		return unreleased, "", nil // it is of a time before this sweep
	case job.State == state.JobFailed:
		return failed, job.Class, nil
	default:
		return succeeded, "", nil
	}
}

// asked reports whether the sweep is, or was, among those who want the scan.
func asked(job state.Job, sw state.Sweep) bool {
	id := sw.Requester()
	return slices.Contains(job.Withdrawn, id) ||
		slices.ContainsFunc(job.Requesters, func(r state.Requester) bool { return r.ID == id })
}
