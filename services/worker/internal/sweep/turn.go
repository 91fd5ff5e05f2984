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
	// pause is how long a sweep that waits for scans is left alone.
	pause = 2 * time.Second
	// mostHalted bounds the repositories whose rest is kept in memory.
	mostHalted = 64
)

// errWaiting ends a turn at a sweep that can only go on when scans have ended.
var errWaiting = errors.New("the sweep waits for its scans")

// repositoryWork is a repository being released: its images, and how far it is.
type repositoryWork struct {
	repository string
	found      []candidate
	tags       int
	errs       []error
	done       int // of found
	images     int // in what is done
}

// halts keeps where a turn stopped within a repository, so that this worker's
// next turn need not ask the registry for all its tags again. It may be lost:
// whoever does not have it begins the repository anew, without harm.
type halts struct {
	mu    sync.Mutex
	works map[string]*repositoryWork // by the sweep's key
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
	full := sw.Phase == state.SweepListing && s.halted.has(sw.Key) && len(sw.Outstanding) >= limit(sw.Rule.Scanners)
	if !draining && !full {
		return false, nil
	}
	for _, d := range sw.Outstanding {
		f, err := s.fate(ctx, sw, d)
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

func (s *Sweeper) fate(ctx context.Context, sw state.Sweep, d events.Digest) (fate, error) {
	rec, err := s.State.Jobs.Get(ctx, d.Token())
	job := rec.Value
	switch {
	case errors.Is(err, state.ErrNotFound):
		return unreleased, nil
	case err != nil:
		return pending, err
	case !job.State.Terminal():
		return pending, nil
	case !asked(job, sw) && job.EndedAt.Before(sw.StartedAt):
		return unreleased, nil // it is of a time before this sweep
	case job.State == state.JobFailed:
		return failed, nil
	default:
		return succeeded, nil
	}
}

// asked reports whether the sweep is, or was, among those who want the scan.
func asked(job state.Job, sw state.Sweep) bool {
	id := requester(sw)
	return slices.Contains(job.Withdrawn, id) ||
		slices.ContainsFunc(job.Requesters, func(r state.Requester) bool { return r.ID == id })
}

// requester is the sweep's name among those who want a scan: the same in every
// turn, so that a scan it has asked for is not asked for again.
func requester(sw state.Sweep) string { return "sweep/" + sw.Key }
