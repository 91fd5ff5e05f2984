package places

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Checker looks for images at their registries. Only a registry's own "not
// found" or its silence starts a retention; a sighting ends it.
type Checker struct {
	Announcer

	Registries *registries.Set
	Now        func() time.Time
	Log        *zap.Logger
}

// sight is what a look at a registry showed.
type sight struct {
	missing string // "", or one of state.Missing…
	lost    []string
}

// Check looks for the place's image and its tags and records the answer. An
// answer that says nothing about the image, such as a refused credential,
// counts as the registry being out of reach.
func (c *Checker) Check(ctx context.Context, p state.Place) (state.Place, error) {
	s, err := c.look(ctx, p)
	if err != nil {
		return p, err
	}
	return c.record(ctx, p, s)
}

// Unreachable records, without asking again, that the registry is out of
// reach.
func (c *Checker) Unreachable(ctx context.Context, p state.Place) (state.Place, error) {
	return c.record(ctx, p, sight{missing: state.MissingUnreachable})
}

// Seen records that somebody else saw the place's image at the registry, and
// which of its tags lead elsewhere.
func (c *Checker) Seen(ctx context.Context, p state.Place, lost []string) (state.Place, error) {
	return c.record(ctx, p, sight{lost: lost})
}

func (c *Checker) look(ctx context.Context, p state.Place) (sight, error) {
	reg, err := c.Registries.Get(p.Registry)
	if errors.Is(err, registries.ErrUnknown) {
		return sight{missing: state.MissingUnreachable}, nil
	}
	if err != nil {
		return sight{}, err
	}
	_, err = reg.Head(ctx, p.Repository, string(p.Digest))
	switch {
	case err == nil:
		return sight{lost: c.lostTags(ctx, reg, p)}, nil
	case errors.Is(err, registry.ErrNotFound):
		return sight{missing: state.MissingGone}, nil
	case ctx.Err() != nil:
		return sight{}, fmt.Errorf("look for %s: %w", p.Event().Reference(), ctx.Err())
	case errors.Is(err, registry.ErrPaused): // it is there; the look can wait
		return sight{}, err
	default:
		c.Log.Info("registry out of reach", zap.String("registry", p.Registry), zap.Error(err))
		return sight{missing: state.MissingUnreachable}, nil
	}
}

// lostTags returns the tags that no longer lead to the place. An image known
// through an index has the index's tags, which are the index's to lose.
func (c *Checker) lostTags(ctx context.Context, reg registries.Registry, p state.Place) []string {
	var lost []string
	for tag := range p.Tags {
		d, err := reg.Head(ctx, p.Repository, tag)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			lost = append(lost, tag)
		case err != nil:
			return lost // the image itself was seen; its tags can wait for the next look
		case d.Digest != string(p.Digest) && !c.leads(ctx, d.Digest, p.Digest):
			lost = append(lost, tag)
		}
	}
	return lost
}

// leads reports whether an index we know has the image as a child.
func (c *Checker) leads(ctx context.Context, index string, child events.Digest) bool {
	rec, err := c.State.Images.Get(ctx, events.Digest(index).Token())
	if err != nil {
		return false
	}
	for _, ch := range rec.Value.Children {
		if ch.Digest == child {
			return true
		}
	}
	return false
}

func (c *Checker) record(ctx context.Context, p state.Place, s sight) (state.Place, error) {
	now := c.Now()
	rec, err := c.State.Places.Change(ctx, failpoint.KeeperCheck, state.PlaceKey(p.Digest, p.Registry, p.Repository),
		func(p *state.Place, exists bool) error {
			if !exists {
				return state.ErrUnchanged
			}
			if len(s.lost) > 0 {
				p.Announce = events.ImageChanged
			}
			switch {
			case s.missing == "" && !p.MissingSince.IsZero():
				p.Sighted(now)
				p.Announce = events.ImageChanged
			case s.missing == "":
				p.Sighted(now)
			case p.MissingSince.IsZero():
				p.MissingSince, p.Missing = now, s.missing
				p.Announce = events.ImageGone
			default:
				missStill(p, s.missing, now)
			}
			for _, tag := range s.lost {
				delete(p.Tags, tag)
			}
			p.CheckedAt = now
			return nil
		})
	if err != nil {
		return p, err
	}
	if rec.Revision == 0 {
		return rec.Value, nil
	}
	return rec.Value, c.Announce(ctx, rec)
}

// missStill goes on with a retention. Where it moves, or has another reason
// now, that is told, unless what there is still to tell will say it.
func missStill(p *state.Place, missing string, now time.Time) {
	since, reason := p.MissingSince, p.Missing
	p.SkipOutage(now)
	p.Missing = missing
	if p.Announce == "" && (!p.MissingSince.Equal(since) || p.Missing != reason) {
		p.Announce = events.ImageChanged
	}
}
