package sweep

import (
	"context"
	"errors"
	"slices"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/rule"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// begin takes up a sweep that somebody or a schedule has asked for: its rule
// as it is now, where it has one that is still there.
func (r *runner) begin(ctx context.Context) error {
	sw := r.sweep()
	selects := sw.Rule
	if rule, known := r.Registries.Rule(selects.Name); known {
		selects = rule.Rule
	}
	baseline := false
	if selects.Name != "" && !sw.FailedOnly {
		var err error
		if baseline, err = r.baseline(ctx, selects); err != nil {
			return err
		}
	}
	// What began it is told first: a sweep that goes on has told it.
	sw.Rule = selects
	if err := r.announce(ctx, events.SweepStarted, sw); err != nil {
		return err
	}
	return r.save(ctx, func(sw *state.Sweep) {
		sw.Rule, sw.Baseline, sw.Phase, sw.StartedAt = selects, baseline, state.SweepListing, r.Now()
	})
}

// asking returns the rules in whose name a sweep asks for an image. One without
// a rule of its own asks in the name of those that mean the image by any of its
// tags, as a user who asks for it does.
func (r *runner) asking(rule registries.Rule, repository string, tags []string) (rules []registries.Rule, platforms func(events.Platform) bool) {
	if rule.Name != "" {
		rules = []registries.Rule{rule}
		return rules, plan.Platforms(rules)
	}
	for _, tag := range tags {
		for _, covering := range r.Planner.Covering(rule.Registry, repository, tag) {
			if !slices.ContainsFunc(rules, func(r registries.Rule) bool { return r.Name == covering.Name }) {
				rules = append(rules, covering)
			}
		}
	}
	return rules, nil
}

// again asks once more for the scans that failed before the sweep was started
// again. Those it has asked for have its new name among their requesters.
func (r *runner) again(ctx context.Context, rule registries.Rule) error {
	sw := r.sweep()
	failed, err := r.failedBefore(ctx, sw)
	if err != nil {
		return err
	}
	for _, job := range failed {
		if err := r.reserve(ctx, job.Digest, limit(rule.Scanners)); err != nil {
			return err
		}
		switch err := r.Planner.Again(ctx, job, sw.AskedBefore, sw.Requester()); {
		case errors.Is(err, registries.ErrUnknown), errors.Is(err, registries.ErrUnusable):
			return r.end(ctx, state.SweepFailed, err)
		case err != nil:
			return err
		}
		if err := r.pace(); err != nil {
			return err
		}
	}
	return r.next(ctx, state.SweepScanning)
}

func (r *runner) failedBefore(ctx context.Context, sw state.Sweep) ([]state.Job, error) {
	var failed, cancelled []state.Job
	err := r.State.Jobs.All(ctx, ">", func(rec state.Record[state.Job]) error {
		switch j := rec.Value; {
		case sw.TookBack(j):
			cancelled = append(cancelled, j)
		case j.State == state.JobFailed && slices.ContainsFunc(j.Requesters, func(r state.Requester) bool { return sw.AskedBefore(r.ID) }):
			failed = append(failed, j)
		}
		return nil
	})
	for _, j := range cancelled {
		if err == nil {
			err = r.placed(ctx, sw, &j)
		}
		failed = append(failed, j)
	}
	return failed, err
}

// placed puts the sweep back among those who want a scan that was cancelled with
// it, at a place where it would find the image.
func (r *runner) placed(ctx context.Context, sw state.Sweep, j *state.Job) error {
	m, err := rule.Compile(sw.Rule)
	if err != nil {
		return err
	}
	return r.State.Places.All(ctx, state.PlacesOfImage(j.Digest), func(rec state.Record[state.Place]) error {
		if p := rec.Value; p.Registry == sw.Rule.Registry && m.Repository(p.Repository) {
			j.Requesters = []state.Requester{{ID: sw.RequesterBefore(), Registry: p.Registry, Repository: p.Repository, Rules: []string{sw.Rule.Name}}}
		}
		return nil
	})
}
