package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

const pageSize = 100

// list walks the catalog, a page at a time, one repository after the other.
// The record moves on after each.
func (r *runner) list(ctx context.Context, reg registries.Registry, rule registries.Rule) error {
	for {
		for _, repository := range r.sweep().Page {
			if err := r.repository(ctx, reg, rule, repository); err != nil {
				return err
			}
			if err := r.pace(); err != nil {
				return err
			}
		}
		if err := r.turnPage(ctx, reg, rule); err != nil || r.sweep().Phase != state.SweepListing {
			return err
		}
		if err := r.pace(); err != nil {
			return err
		}
	}
}

// turnPage goes on to the next page, or to what follows the last.
func (r *runner) turnPage(ctx context.Context, reg registries.Registry, rule registries.Rule) error {
	sw := r.sweep()
	switch {
	case len(sw.Behind) > 0:
		return r.reopen(ctx)
	case sw.Listed:
		if err := r.listed(ctx, sw); err != nil {
			return err
		}
		return r.next(ctx, state.SweepChecking)
	}
	page, next, err := r.page(ctx, reg, rule, sw.Next)
	if err != nil && !ours(err) {
		r.Planner.Condition(ctx, reg.Name(), err)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("list %s: %w", reg.Name(), context.Cause(ctx))
	case ours(err), errors.Is(err, registry.ErrPaused):
		return err
	case errors.Is(err, registry.ErrUnavailable) && sw.Cursor == "" && len(sw.Page) == 0:
		return r.unreachable(ctx, rule, err)
	case err != nil:
		// What was listed so far stands; the rest is unknown, and unknown
		// never means gone.
		return r.save(ctx, func(sw *state.Sweep) {
			sw.Note(err.Error())
			sw.Fail(plan.Class(err), 1)
			sw.Listed, sw.Page = true, nil
		})
	}
	return r.save(ctx, func(sw *state.Sweep) {
		sw.Page, sw.Next, sw.Listed, sw.Whole = page, next, next == "", next == ""
	})
}

// page returns the next repositories of the rule. Where the rule names each by
// itself, the registry's catalog, which many registries do not have, is not
// needed.
func (r *runner) page(ctx context.Context, reg registries.Registry, rule registries.Rule, after string) ([]string, string, error) {
	if named := exact(rule.Repositories); named != nil {
		return r.wanted(named, rule), "", nil
	}
	page, next, err := reg.Catalog(ctx, rule.Repositories, after, pageSize)
	return r.wanted(page, rule), next, err
}

func (r *runner) wanted(page []string, rule registries.Rule) []string {
	wanted := make([]string, 0, len(page))
	for _, repository := range page {
		if rule.Repository(repository) {
			wanted = append(wanted, repository)
		}
	}
	return wanted
}

func exact(patterns []string) []string {
	for _, p := range patterns {
		if strings.Contains(p, "*") {
			return nil
		}
	}
	return patterns
}

// unreachable ends a sweep whose registry does not answer at all: all it has
// is out of reach from now on, or was before.
func (r *runner) unreachable(ctx context.Context, rule registries.Rule, cause error) error {
	// Collected first: what is written comes again while the list goes on.
	var places []state.Place
	err := r.State.Places.All(ctx, state.PlacesOfRegistry(rule.Registry), func(p state.Record[state.Place]) error {
		if rule.Repository(p.Value.Repository) {
			places = append(places, p.Value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range places {
		if _, err := r.Checker.Unreachable(ctx, p); err != nil {
			return err
		}
	}
	return r.end(ctx, state.SweepFailed, cause)
}

// repository sweeps one repository, or goes on where this worker's last turn
// stopped in it. An error of the registry's leaves it out and makes the sweep
// partial; other errors end the turn.
func (r *runner) repository(ctx context.Context, reg registries.Registry, rule registries.Rule, repository string) error {
	w := r.halted.take(r.requester(), repository)
	if w == nil {
		w = &repositoryWork{repository: repository}
		if err := r.candidates(ctx, reg, rule, w); err != nil {
			if ours(err) {
				return err
			}
			r.Planner.Condition(ctx, reg.Name(), err)
			if errors.Is(err, registry.ErrPaused) {
				return err
			}
			w.errs = append(w.errs, err)
		}
	}
	err := r.release(ctx, reg, rule, w)
	switch {
	case ctx.Err() != nil:
		return errors.Join(err, context.Cause(ctx))
	case errors.Is(err, errLost):
		return err
	case err != nil:
		r.halted.keep(r.requester(), w)
		return err
	}
	if err := r.remember(ctx, rule.Name, w); err != nil {
		return err
	}
	if err := r.turnOver(ctx); err != nil {
		return err
	}
	return r.save(ctx, func(sw *state.Sweep) {
		sw.Cursor = repository
		sw.Page = after(sw.Page, repository)
		sw.Counts.Repositories++
		sw.Counts.Tags += w.tags
		sw.Counts.Images += w.images
		w.tell(sw)
		if err := errors.Join(w.errs...); err != nil && !onlyGone(err) {
			sw.Note(fmt.Sprintf("%s: %v", repository, err))
			sw.Fail(plan.Class(err), 1)
			sw.Miss(repository)
		}
	})
}

// ours reports whether it was not the registry that failed: then nothing is
// known about it, and the turn is to be done again.
func ours(err error) bool { return errors.Is(err, bus.ErrBroker) }

// onlyGone reports whether all that went wrong is that something is gone since
// it was listed.
func onlyGone(err error) bool {
	if all, joined := err.(interface{ Unwrap() []error }); joined {
		return !slices.ContainsFunc(all.Unwrap(), func(err error) bool { return !onlyGone(err) })
	}
	return errors.Is(err, registry.ErrNotFound)
}

// after is the page behind a repository.
func after(page []string, repository string) []string {
	for i, name := range page {
		if name == repository {
			return page[i+1:]
		}
	}
	return page
}
