package sweep

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// candidate is a distinct digest of a repository with the tags that lead to it.
type candidate struct {
	repository string
	digest     events.Digest
	tags       []string
	date       time.Time
}

// candidates lists the repository's tags, resolves each by HEAD, and returns
// the newest images the rule asks for, newest first. An image whose manifest
// cannot be used is left out, with an error beside the others.
func (r *runner) candidates(ctx context.Context, reg registries.Registry, rule registries.Rule, repository string) ([]candidate, int, error) {
	tags, err := r.tags(ctx, reg, rule, repository)
	if err != nil {
		return nil, 0, err
	}
	byDigest, err := resolve(ctx, reg, repository, tags)
	if err != nil {
		return nil, len(tags), err
	}
	var broken []error
	found := make([]candidate, 0, len(byDigest))
	for _, c := range byDigest {
		c.date, err = r.date(ctx, reg, *c)
		switch {
		case errors.Is(err, plan.ErrNotImage), errors.Is(err, registry.ErrNotFound):
			continue // a chart, or gone since the listing
		case ctx.Err() != nil, errors.Is(err, registry.ErrUnavailable):
			return nil, len(tags), err
		case err != nil:
			broken = append(broken, err)
			continue
		}
		slices.Sort(c.tags)
		found = append(found, *c)
	}
	return newest(found, rule, r.Now()), len(tags), errors.Join(broken...)
}

// resolve gathers the tags by the digest they lead to.
func resolve(ctx context.Context, reg registries.Registry, repository string, tags []string) (map[events.Digest]*candidate, error) {
	byDigest := map[events.Digest]*candidate{}
	for _, tag := range tags {
		desc, err := reg.Head(ctx, repository, tag)
		if errors.Is(err, registry.ErrNotFound) {
			continue // gone since the listing
		}
		if err != nil {
			return nil, err
		}
		d, err := events.ParseDigest(desc.Digest)
		if err != nil {
			return nil, err
		}
		if byDigest[d] == nil {
			byDigest[d] = &candidate{repository: repository, digest: d}
		}
		byDigest[d].tags = append(byDigest[d].tags, tag)
	}
	return byDigest, nil
}

func (r *runner) tags(ctx context.Context, reg registries.Registry, rule registries.Rule, repository string) ([]string, error) {
	var wanted []string
	for after := ""; ; {
		page, next, err := reg.Tags(ctx, repository, after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, tag := range page {
			if rule.Tag(tag) {
				wanted = append(wanted, tag)
			}
		}
		if next == "" {
			return wanted, nil
		}
		after = next
	}
}

// date is when the image was pushed, as a webhook told it, else when its
// config says it was made. An index is as old as its newest image.
func (r *runner) date(ctx context.Context, reg registries.Registry, c candidate) (time.Time, error) {
	place, err := r.State.Places.Get(ctx, state.PlaceKey(c.digest, reg.Name(), c.repository))
	if err == nil && !place.Value.PushedAt.IsZero() {
		return place.Value.PushedAt, nil
	}
	img, err := r.Planner.Describe(ctx, reg, c.repository, c.digest)
	if err != nil {
		return time.Time{}, err
	}
	date := img.Created
	for _, child := range img.Children {
		sub, err := r.Planner.Describe(ctx, reg, c.repository, child.Digest)
		if err == nil && sub.Created.After(date) {
			date = sub.Created
		}
	}
	return date, nil
}

// newest keeps what the rule's cap and window allow, newest first; ties go by
// tag. Distinct digests count.
func newest(found []candidate, rule registries.Rule, now time.Time) []candidate {
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(b.date.Compare(a.date), slices.Compare(b.tags, a.tags))
	})
	if within := time.Duration(rule.PushedWithin); within > 0 {
		found = slices.DeleteFunc(found, func(c candidate) bool { return now.Sub(c.date) > within })
	}
	if rule.Cap > 0 && len(found) > rule.Cap {
		found = found[:rule.Cap]
	}
	return found
}
