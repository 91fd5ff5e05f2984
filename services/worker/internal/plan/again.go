package plan

import (
	"context"
	"errors"
	"slices"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Again asks once more for a scan that failed, as somebody did before and under
// a new id. An image that is gone meanwhile is left alone.
func (p *Planner) Again(ctx context.Context, j state.Job, before func(requester string) bool, id string) error {
	i := slices.IndexFunc(j.Requesters, func(r state.Requester) bool { return before(r.ID) })
	if i < 0 {
		return nil
	}
	r := j.Requesters[i]
	img, err := p.State.Images.Get(ctx, j.Digest.Token())
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	reg, err := p.Registries.Get(r.Registry)
	if err != nil {
		return err
	}
	t := Target{Registry: reg, Repository: r.Repository, Lane: events.LaneSweep, Requester: id, Force: true}
	for _, name := range r.Rules {
		if rule, known := p.Registries.Rule(name); known {
			t.Rules = append(t.Rules, rule)
		}
	}
	return p.job(ctx, t, img.Value)
}

// Withdraw takes back what was planned for somebody who wants it no more. It
// can be repeated without harm.
func (p *Planner) Withdraw(ctx context.Context, requester string, images []events.Digest) error {
	for _, d := range images {
		rec, err := p.State.Jobs.Change(ctx, failpoint.PlanJob, d.Token(), func(j *state.Job, exists bool) error {
			if !exists || j.State.Terminal() || slices.Contains(j.Withdrawn, requester) {
				return state.ErrUnchanged
			}
			j.Withdraw(requester, p.Now())
			return nil
		})
		if err != nil {
			return err
		}
		if rec.Value.State == state.JobCancelled && !rec.Value.Announced {
			if err := Wake(ctx, p.Bus, failpoint.PlanWake, rec.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Covering returns the registry's rules that mean a repository and, where it
// is not blank, a tag.
func (p *Planner) Covering(registryName, repository, tag string) []registries.Rule {
	var covering []registries.Rule
	for _, r := range p.Registries.Rules(registryName) {
		if r.Repository(repository) && (tag == "" || r.Tag(tag)) {
			covering = append(covering, r)
		}
	}
	return covering
}
