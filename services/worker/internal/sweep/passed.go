package sweep

import (
	"context"
	"errors"
	"slices"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// passOver records that images which the rule's window or cap leaves out were
// seen all the same: nobody need ask for them, and for each of their tags,
// again.
func (r *runner) passOver(ctx context.Context, reg registries.Registry, found, chosen []candidate) error {
	leads, plain := map[string]events.Digest{}, map[events.Digest]bool{}
	for _, c := range found {
		plain[c.digest] = c.placed && !c.index
		for _, tag := range c.tags {
			leads[tag] = c.digest
		}
	}
	for _, c := range found {
		taken := slices.ContainsFunc(chosen, func(o candidate) bool { return o.digest == c.digest })
		if !c.placed || taken && !c.strays(leads, plain) {
			continue
		}
		if err := r.seen(ctx, reg, c, c.digest, leads); err != nil {
			return err
		}
		img, err := r.State.Images.Get(ctx, c.digest.Token())
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			return err
		}
		for _, child := range img.Value.Children {
			if err := r.seen(ctx, reg, c, child.Digest, leads); err != nil {
				return err
			}
		}
	}
	return nil
}

// strays reports whether the image has a tag that another one has, too, and that
// leads there: two pushes of a tag may cross.
func (c *candidate) strays(leads map[string]events.Digest, plain map[events.Digest]bool) bool {
	for tag, since := range c.had {
		if to, listed := leads[tag]; listed && to != c.digest && plain[to] && !since.After(c.seen) {
			return true
		}
	}
	return false
}

// seen records the sighting of a candidate, or of an image in it, and takes
// from it the tags that lead elsewhere now.
func (r *runner) seen(ctx context.Context, reg registries.Registry, c candidate, d events.Digest, leads map[string]events.Digest) error {
	rec, err := r.State.Places.Get(ctx, state.PlaceKey(d, reg.Name(), c.repository))
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var lost []string
	for tag, since := range rec.Value.Tags {
		if to, listed := leads[tag]; listed && to != c.digest && to != d && !since.After(c.seen) {
			lost = append(lost, tag)
		}
	}
	_, err = r.Checker.Seen(ctx, rec.Value, lost)
	return err
}
