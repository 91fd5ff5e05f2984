package sweep

import (
	"context"
	"errors"
	"slices"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// turnOver puts a full page of missed repositories away. Whoever does it again,
// after a crash in between, writes the same.
func (r *runner) turnOver(ctx context.Context) error {
	sw := r.sweep()
	if len(sw.Missed) < state.MissedPageSize {
		return nil
	}
	key := sw.MissedKey(sw.Generation, sw.MissedPages)
	_, err := r.State.Misses.Change(ctx, failpoint.SweepCursor, key, func(p *state.MissedPage, _ bool) error {
		p.Repositories = sw.Missed
		return nil
	})
	if err != nil {
		return err
	}
	return r.save(ctx, func(sw *state.Sweep) { sw.Missed, sw.MissedPages = nil, sw.MissedPages+1 })
}

// reopen takes up the next page of what generations before have missed.
func (r *runner) reopen(ctx context.Context) error {
	sw := r.sweep()
	last := len(sw.Behind) - 1
	next := sw.Behind[last]
	next.Pages--
	page, err := r.State.Misses.Get(ctx, sw.MissedKey(next.Generation, next.Pages))
	gone := errors.Is(err, state.ErrNotFound)
	if err != nil && !gone {
		return err
	}
	return r.save(ctx, func(sw *state.Sweep) {
		sw.Page, sw.Behind = page.Value.Repositories, slices.Clone(sw.Behind[:last])
		if next.Pages > 0 {
			sw.Behind = append(sw.Behind, next)
		}
		if gone {
			sw.Note("some of the repositories that could not be read are not known any more: restart all of the sweep")
		}
	})
}
