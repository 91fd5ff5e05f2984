package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
)

// memory is what a rule's sweeps before have listed in a repository. That of a
// sweep without a rule is blank.
type memory struct {
	// whole says that all that was there is known: by a place, or as passed.
	// What is not has appeared since.
	whole  bool
	passed map[events.Digest]state.Passed
	known  bool // there is one
}

// recall reads what the rule's sweeps before have listed in the repository.
func (r *runner) recall(ctx context.Context, rule, repository string) (memory, error) {
	if rule == "" {
		return memory{}, nil
	}
	rec, err := r.State.Listings.Get(ctx, state.ListingKey(rule, repository))
	if errors.Is(err, state.ErrNotFound) {
		return memory{}, nil
	}
	sw, listing := r.sweep(), rec.Value
	m := memory{
		// This sweep's own listing of a moment ago tells nothing.
		known:  true,
		whole:  !sw.Baseline && !listing.More && listing.At.Before(sw.StartedAt),
		passed: make(map[events.Digest]state.Passed, len(listing.Passed)),
	}
	for _, p := range listing.Passed {
		m.passed[p.Digest] = p
	}
	return m, err
}

// date dates an image that has no place by what was listed before. It reports
// whether it could. What is known to be none is plan.ErrNotImage.
func (m memory) date(c *candidate) (known bool, err error) {
	before, passed := m.passed[c.digest]
	switch {
	case passed && before.None:
		return true, fmt.Errorf("%s: %w", c.digest, plan.ErrNotImage)
	case passed && before.Source != "":
		c.date, c.source = before.Date, before.Source
		c.image = c.source == events.DateCreated || c.source == events.DateUnknown
		c.appeared = c.source == events.DateFirstSeen
		if c.source == events.DateCreated {
			c.created = c.date
		}
	case !passed && m.whole:
		c.date, c.source, c.appeared = c.seen, events.DateFirstSeen, true
	default:
		return false, nil
	}
	return true, nil
}

// remember keeps what was listed in the repository and has no place.
func (r *runner) remember(ctx context.Context, rule string, w *repositoryWork) error {
	if rule == "" || !w.listed {
		return nil
	}
	passed := slices.Clone(w.passed)
	more := len(passed) > state.MostPassed
	if more {
		passed = passed[:state.MostPassed]
	}
	slices.SortFunc(passed, func(a, b state.Passed) int { return cmp.Compare(a.Digest, b.Digest) })
	_, err := r.State.Listings.Change(ctx, failpoint.SweepListed, state.ListingKey(rule, w.repository), func(l *state.Listing, exists bool) error {
		if exists && l.More == more && slices.EqualFunc(l.Passed, passed, same) {
			return state.ErrUnchanged
		}
		if !exists {
			l.At = r.Now()
		}
		l.Passed, l.More = passed, more
		return nil
	})
	return err
}

func same(a, b state.Passed) bool {
	return a.Digest == b.Digest && a.Date.Equal(b.Date) && a.Source == b.Source && a.None == b.None && slices.Equal(a.Tags, b.Tags)
}

// tell adds to the sweep's record how the images were dated and why others were
// left out.
func (w *repositoryWork) tell(sw *state.Sweep) {
	for _, c := range w.found {
		sw.Date(c.source)
	}
	for _, why := range w.left {
		sw.Leave(why)
	}
}

// leave notes an image that is not scanned, and why.
func (w *repositoryWork) leave(c candidate, why state.LeftOut) {
	w.left = append(w.left, why)
	if !c.placed {
		w.passed = append(w.passed, state.Passed{
			Digest: c.digest, Date: c.date, Source: c.source, None: why == state.LeftNoImage, Tags: w.immovable(c),
		})
	}
}

// immovable are the tags to be remembered, as many as fit into the record
// beside the digests: those that stay where they are.
func (w *repositoryWork) immovable(c candidate) []string {
	const most = 200 << 10 // bytes
	if !w.immutable || w.tagBytes > most {
		return nil
	}
	for _, tag := range c.tags {
		w.tagBytes += len(tag)
	}
	return c.tags
}

// none notes what is no image.
func (w *repositoryWork) none(c candidate) {
	c.date, c.source = time.Time{}, events.DateUnknown
	w.leave(c, state.LeftNoImage)
}

// undated notes an image that could not be read, so that it is not taken for a
// new one later.
func (w *repositoryWork) undated(c candidate) {
	if !c.placed {
		w.passed = append(w.passed, state.Passed{Digest: c.digest})
	}
}
