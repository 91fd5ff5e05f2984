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
	seen       time.Time // when the tags were seen to lead to it, or a moment before
	told       time.Time // when the registry says it was pushed; zero: it does not, or we know better
	image      bool      // it is known to be one
	placed     bool      // it was seen here before
}

// candidates lists the repository's tags, resolves by HEAD those whose digest
// the list does not tell, and returns the newest images the rule asks for,
// newest first. An image whose manifest cannot be used is left out, with an
// error beside the others.
func (r *runner) candidates(ctx context.Context, reg registries.Registry, rule registries.Rule, repository string) ([]candidate, int, error) {
	seen := r.Now()
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
		switch err := r.date(ctx, reg, c); {
		case unusable(err):
			continue
		case ctx.Err() != nil, errors.Is(err, registry.ErrUnavailable):
			return nil, len(tags), err
		case err != nil:
			broken = append(broken, err)
			continue
		}
		slices.Sort(c.tags)
		c.seen = seen
		found = append(found, *c)
	}
	chosen, err := r.newest(ctx, reg, slices.Clone(found), rule)
	if err == nil {
		err = r.passOver(ctx, reg, found, chosen)
	}
	return chosen, len(tags), errors.Join(append(broken, err)...)
}

// unusable is true of a chart, and of what is gone since the listing.
func unusable(err error) bool {
	return errors.Is(err, plan.ErrNotImage) || errors.Is(err, registry.ErrNotFound)
}

// resolve gathers the tags by the digest they lead to.
func resolve(ctx context.Context, reg registries.Registry, repository string, tags []registry.Tag) (map[events.Digest]*candidate, error) {
	byDigest := map[events.Digest]*candidate{}
	for _, tag := range tags {
		if tag.Digest == "" {
			desc, err := reg.Head(ctx, repository, tag.Name)
			if errors.Is(err, registry.ErrNotFound) {
				continue // gone since the listing
			}
			if err != nil {
				return nil, err
			}
			tag.Digest = desc.Digest
		}
		d, err := events.ParseDigest(tag.Digest)
		if err != nil {
			return nil, err
		}
		if byDigest[d] == nil {
			byDigest[d] = &candidate{repository: repository, digest: d}
		}
		c := byDigest[d]
		c.tags = append(c.tags, tag.Name)
		if tag.Pushed.After(c.told) {
			c.told = tag.Pushed
		}
	}
	return byDigest, nil
}

func (r *runner) tags(ctx context.Context, reg registries.Registry, rule registries.Rule, repository string) ([]registry.Tag, error) {
	var wanted []registry.Tag
	for after := ""; ; {
		page, next, err := reg.Tags(ctx, repository, after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, tag := range page {
			if rule.Tag(tag.Name) {
				wanted = append(wanted, tag)
			}
		}
		if next == "" {
			return wanted, nil
		}
		after = next
	}
}

// date is when the image was pushed, as a webhook told it, else as the
// registry's list does, else when its config says it was made. An index is as
// old as its newest image.
func (r *runner) date(ctx context.Context, reg registries.Registry, c *candidate) error {
	place, err := r.State.Places.Get(ctx, state.PlaceKey(c.digest, reg.Name(), c.repository))
	c.image, c.placed = err == nil, err == nil
	switch {
	case err == nil && !place.Value.PushedAt.IsZero():
		c.date, c.told = place.Value.PushedAt, time.Time{}
		return nil
	case !c.told.IsZero():
		c.date = c.told
		return nil
	}
	img, err := r.Planner.Describe(ctx, reg, c.repository, c.digest)
	if err != nil {
		return err
	}
	c.date, c.image = img.Created, true
	for _, child := range img.Children {
		sub, err := r.Planner.Describe(ctx, reg, c.repository, child.Digest)
		if err == nil && sub.Created.After(c.date) {
			c.date = sub.Created
		}
	}
	return nil
}

// newest keeps what the rule's window and cap allow, newest first; ties go by
// tag. Distinct digests count, and only images: what is not known to be one is
// looked at, until there are enough.
func (r *runner) newest(ctx context.Context, reg registries.Registry, found []candidate, rule registries.Rule) ([]candidate, error) {
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(b.date.Compare(a.date), slices.Compare(b.tags, a.tags))
	})
	now := r.Now()
	if within := time.Duration(rule.PushedWithin); within > 0 {
		found = slices.DeleteFunc(found, func(c candidate) bool { return now.Sub(c.date) > within })
	}
	if rule.Cap <= 0 || len(found) <= rule.Cap {
		return found, nil
	}
	var broken []error
	chosen := make([]candidate, 0, rule.Cap)
	for _, c := range found {
		if len(chosen) == rule.Cap {
			break
		}
		if !c.image {
			switch _, err := r.Planner.Describe(ctx, reg, c.repository, c.digest); {
			case unusable(err):
				continue
			case ctx.Err() != nil, errors.Is(err, registry.ErrUnavailable):
				return nil, err
			case err != nil:
				broken = append(broken, err)
				continue
			}
		}
		chosen = append(chosen, c)
	}
	return chosen, errors.Join(broken...)
}
