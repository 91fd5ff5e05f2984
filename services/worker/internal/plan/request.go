package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Request handles what a user asked for. What became of it stands in the
// request's record: a user waits for an answer, so every error but an outage
// of our own ends it.
func (p *Planner) Request(ctx context.Context, d bus.Delivery) error {
	e, ok := d.Data().(events.ImageRequested)
	if !ok {
		return bus.DeadLetter(fmt.Errorf("%s is no image request", d.Kind()))
	}
	rec, err := p.State.Requests.Get(ctx, e.Request)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	if !planning(rec.Value) {
		return nil // planned before, or cancelled meanwhile
	}
	req := state.Request{
		ID: e.Request, Reference: d.About(), State: state.RequestPlanned, CreatedAt: d.Time(),
		Registry: e.Registry, Repository: e.Repository,
	}
	out, err := p.request(ctx, e, d.Time())
	req.Scans = out.Images
	switch {
	case err != nil && !final(err):
		return Verdict(err, p.Now().Sub(d.StoredAt))
	case err != nil:
		req.State, req.Error = state.RequestFailed, err.Error()
	case len(out.Images) == 0:
		req.State = state.RequestFailed
		req.Error = "the image has no manifest for the platforms asked for: " + strings.Join(e.Platforms, ", ")
	}
	rec, err = p.State.Requests.Change(ctx, failpoint.PlanRequest, e.Request, func(r *state.Request, _ bool) error {
		if !planning(*r) {
			return state.ErrUnchanged
		}
		if !r.CreatedAt.IsZero() {
			req.CreatedAt, req.Reference = r.CreatedAt, r.Reference
		}
		*r = req
		return nil
	})
	if err != nil || rec.Value.State != state.RequestCancelled {
		return err
	}
	return p.Withdraw(ctx, "request/"+e.Request, out.Images)
}

func planning(r state.Request) bool { return r.State == "" || r.State == state.RequestPlanning }

// final reports whether trying the request again would not help its user.
func final(err error) bool {
	return errors.Is(err, ErrNotImage) || errors.Is(err, registries.ErrUnknown) || errors.Is(err, registries.ErrUnusable) ||
		errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrUnauthorized) ||
		errors.Is(err, registry.ErrInvalid) || errors.Is(err, registry.ErrTooLarge) ||
		errors.Is(err, registry.ErrUnsupported) || errors.Is(err, registry.ErrUnavailable)
}

// request plans what was asked for at a moment.
func (p *Planner) request(ctx context.Context, e events.ImageRequested, asked time.Time) (Outcome, error) {
	reg, err := p.Registries.Get(e.Registry)
	if err != nil {
		return Outcome{}, err
	}
	t := Target{
		Registry: reg, Repository: e.Repository, Tag: e.Tag, Digest: e.Digest, Lane: events.LaneDemand,
		Requester: "request/" + e.Request, Origin: state.OriginRequest, Rules: p.Covering(e.Registry, e.Repository, e.Tag),
		Platforms: named(e.Platforms), Force: e.Force || e.Refetch,
	}
	if e.Refetch {
		t.Refetch = asked
	}
	return p.Ensure(ctx, t)
}

// named covers the platforms a user named, as os/architecture[/variant]; none
// means all.
func named(platforms []string) func(events.Platform) bool {
	if len(platforms) == 0 {
		return nil
	}
	return func(pf events.Platform) bool {
		full := pf.OS + "/" + pf.Architecture
		return slices.Contains(platforms, full) || slices.Contains(platforms, full+"/"+pf.Variant)
	}
}
