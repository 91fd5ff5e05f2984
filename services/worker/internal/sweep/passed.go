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
	leads := map[string]events.Digest{}
	for _, c := range found {
		for _, tag := range c.tags {
			leads[tag] = c.digest
		}
	}
	for _, c := range found {
		if !c.placed || slices.ContainsFunc(chosen, func(o candidate) bool { return o.digest == c.digest }) {
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
