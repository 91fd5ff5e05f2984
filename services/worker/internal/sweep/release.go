package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// window is how many unfinished scans a sweep may have where its rule does not
// say: enough to keep workers busy, few enough to stop soon.
const window = 64

// poll is how often released scans are looked at while the window is full.
const poll = 300 * time.Millisecond

// release plans the candidates, newest first, each of their images when the
// window has room. It notes in the work how far it came; an error says that it
// is not done.
func (r *runner) release(ctx context.Context, reg registries.Registry, rule registries.Rule, w *repositoryWork) error {
	for w.done < len(w.found) {
		c := w.found[w.done]
		images, err := r.releaseOne(ctx, reg, rule, c)
		if ctx.Err() != nil || errors.Is(err, errLost) || errors.Is(err, errWaiting) || errors.Is(err, registry.ErrPaused) || ours(err) {
			return err
		}
		w.done++
		w.images += images
		switch {
		case errors.Is(err, plan.ErrNotImage):
			w.none(c)
		case err != nil:
			w.undated(c)
			w.errs = append(w.errs, err)
		case images == 0:
			w.leave(c, state.LeftByPlatform)
		}
		if err := r.pace(); err != nil && w.done < len(w.found) {
			return err
		}
	}
	return nil
}

// releaseOne plans a candidate, under all of its tags at once. It returns how
// many images there are.
func (r *runner) releaseOne(ctx context.Context, reg registries.Registry, rule registries.Rule, c candidate) (int, error) {
	rules, platforms := r.asking(rule, c.repository, c.tags)
	out, err := r.Planner.Ensure(ctx, plan.Target{
		Registry: reg, Repository: c.repository, Seen: c.tags, Digest: c.digest, Lane: events.LaneSweep,
		Requester: r.requester(), Origin: origin(r.sweep()), Rules: rules, Platforms: platforms,
		Force: r.force(), Refetch: r.refetch(),
		SeenAt: c.seen, Since: c.since, PushedAt: c.told, PushedBy: events.DateRegistry, Appeared: c.appeared, Created: c.created,
		Reserve: func(ctx context.Context, d events.Digest) error {
			return r.reserve(ctx, d, limit(rule.Scanners))
		},
	})
	return len(out.Images), err
}

func (r *runner) requester() string {
	sw := r.sweep()
	return sw.Requester()
}

// force reports whether also what is known is to be scanned.
func (r *runner) force() bool {
	sw := r.sweep()
	return sw.Force || sw.Refetch || sw.Rule.ScanAll
}

// refetch is the moment before which no layer may have been read.
func (r *runner) refetch() time.Time {
	if sw := r.sweep(); sw.Refetch {
		return sw.RequestedAt
	}
	return time.Time{}
}

func limit(scanners int) int {
	if scanners > 0 {
		return scanners
	}
	return window
}

// reserve waits for room in the window and takes it, before there is a job: a
// turn that ends in between has released nothing the record does not know of.
// What this sweep released before, and has counted since, takes no room again.
func (r *runner) reserve(ctx context.Context, d events.Digest, most int) error {
	sw := r.sweep()
	if slices.Contains(sw.Outstanding, d) {
		return nil
	}
	job, err := r.State.Jobs.Get(ctx, d.Token())
	switch {
	case errors.Is(err, state.ErrNotFound):
	case err != nil:
		return err
	case asked(job.Value, sw):
		return nil
	}
	if err := r.room(ctx, most-1); err != nil {
		return err
	}
	return r.save(ctx, func(sw *state.Sweep) {
		sw.Outstanding = append(sw.Outstanding, d)
		sw.Counts.Released++
	})
}

// room waits until at most n scans are outstanding, as long as the turn has
// patience.
func (r *runner) room(ctx context.Context, n int) error {
	for {
		if len(r.sweep().Outstanding) <= n {
			return nil
		}
		if err := r.settle(ctx); err != nil {
			return err
		}
		if len(r.sweep().Outstanding) <= n {
			return nil
		}
		if r.waited >= patience {
			return errWaiting
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for scans: %w", context.Cause(ctx))
		case <-time.After(poll):
			r.waited += poll
		}
	}
}

// settle takes the ended scans out of the window.
func (r *runner) settle(ctx context.Context) error {
	sw := r.sweep()
	fates, count, classes := map[events.Digest]fate{}, map[fate]int{}, map[state.FailureClass]int{}
	for _, d := range sw.Outstanding {
		f, class, err := r.fate(ctx, sw, d)
		if err != nil {
			return err
		}
		fates[d] = f
		count[f]++
		if f == failed {
			classes[class]++
		}
	}
	if count[pending] == len(sw.Outstanding) {
		return nil
	}
	return r.save(ctx, func(sw *state.Sweep) {
		sw.Outstanding = slices.DeleteFunc(sw.Outstanding, func(d events.Digest) bool { return fates[d] != pending })
		sw.Counts.Finished += count[succeeded] + count[failed]
		sw.Counts.Failed += count[failed]
		for class, n := range classes {
			sw.Fail(class, n)
		}
		sw.Counts.Released -= count[unreleased]
	})
}

// drain waits for every released scan.
func (r *runner) drain(ctx context.Context) error {
	if err := r.room(ctx, 0); err != nil {
		return err
	}
	return r.end(ctx, state.SweepDone, nil)
}

// check asks the registry for each place of the rule that this sweep has not
// seen: only its own answer makes an image gone.
func (r *runner) check(ctx context.Context, rule registries.Rule) error {
	sw := r.sweep()
	var unseen []state.Place
	err := r.State.Places.All(ctx, state.PlacesOfRegistry(rule.Registry), func(p state.Record[state.Place]) error {
		if rule.Repository(p.Value.Repository) && p.Value.CheckedAt.Before(sw.StartedAt) {
			unseen = append(unseen, p.Value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	gone := 0
	for _, p := range unseen {
		p, err := r.Checker.Check(ctx, p)
		if err == nil && p.Missing == state.MissingGone {
			gone++
		}
		if err == nil {
			err = r.pace()
		}
		if err != nil { // whoever goes on does not check again what was
			return errors.Join(err, r.save(ctx, func(sw *state.Sweep) { sw.Counts.Gone += gone }))
		}
	}
	return r.save(ctx, func(sw *state.Sweep) { sw.Phase, sw.Counts.Gone = state.SweepScanning, sw.Counts.Gone+gone })
}
