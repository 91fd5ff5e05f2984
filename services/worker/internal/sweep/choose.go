package sweep

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	rules "github.com/landwaiter/landwaiter/services/internal/rule"
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
	source     events.DateSource
	seen       time.Time            // when the tags were seen to lead to it, or a moment before
	told       time.Time            // when the registry says it was pushed; zero: it does not
	created    time.Time            // the config's claim, where that is the date
	image      bool                 // it is known to be one
	placed     bool                 // it was seen here before
	index      bool                 // and is an index
	had        map[string]time.Time // the tags it had then
	since      uint64               // see plan.Target
	appeared   bool                 // it was not there when the repository was listed before
}

// candidates lists the repository's tags, resolves by HEAD those whose digest
// the list does not tell, and notes the newest images the rule asks for, newest
// first. An image whose manifest cannot be used is left out, with an error
// beside the others.
func (r *runner) candidates(ctx context.Context, reg registries.Registry, rule registries.Rule, w *repositoryWork) error {
	revision, err := r.State.Places.Revision(ctx)
	if err != nil {
		return err
	}
	seen := r.Now()
	tags, err := r.tags(ctx, reg, rule, w.repository)
	if err != nil {
		return err
	}
	w.tags = len(tags)
	if w.memory, err = r.recall(ctx, rule.Name, w.repository); err != nil {
		return err
	}
	w.immutable = rule.ImmutableTags
	byDigest, err := r.resolve(ctx, reg, rule, w, tags)
	if err != nil {
		return err
	}
	all := slices.Collect(maps.Values(byDigest))
	for _, c := range all {
		c.seen = seen
		slices.Sort(c.tags)
	}
	found, broken, err := w.usable(all, r.dates(ctx, reg, w.memory, all))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if !w.memory.known && !slices.ContainsFunc(found, func(c candidate) bool { return c.placed }) {
		for i := range found { // nothing of the repository was known
			found[i].since = revision
		}
	}
	w.found, err = r.newest(ctx, reg, w, slices.Clone(found), rule)
	if err == nil {
		err = r.passOver(ctx, reg, found, w.found)
	}
	w.listed = err == nil
	return errors.Join(append(broken, err)...)
}

// usable takes the candidates that could be dated, and notes of the others why
// not. A registry that did not answer is an error.
func (w *repositoryWork) usable(all []*candidate, dated []error) (found []candidate, broken []error, err error) {
	for i, c := range all {
		switch err := dated[i]; {
		case errors.Is(err, registry.ErrUnavailable):
			return nil, nil, err
		case errors.Is(err, registry.ErrNotFound): // since the listing
		case errors.Is(err, plan.ErrNotImage):
			w.none(*c)
		case err != nil:
			w.undated(*c)
			broken = append(broken, err)
		default:
			found = append(found, *c)
		}
	}
	return found, broken, nil
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

// date finds how old the image counts as, and who says so: a webhook, else the
// registry's list, else that it appeared between two listings, else its config.
// An index is as old as its newest image.
func (r *runner) date(ctx context.Context, reg registries.Registry, m memory, c *candidate) error {
	rec, err := r.State.Places.Get(ctx, state.PlaceKey(c.digest, reg.Name(), c.repository))
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	place := rec.Value
	c.image, c.placed, c.index, c.had = err == nil, err == nil, place.Index, place.Tags
	place.Pushed(c.told, events.DateRegistry)
	if c.date, c.source = place.Dated(); c.source != events.DateUnknown {
		return nil
	}
	if !c.placed {
		if known, err := m.date(c); known {
			return err
		}
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
	if c.created = c.date; !c.created.IsZero() {
		c.source = events.DateCreated
	}
	return nil
}

// newest keeps what the rule's window and cap allow, newest first; ties go by
// tag. Distinct digests count, and only images: what is not known to be one is
// looked at, until there are enough.
func (r *runner) newest(ctx context.Context, reg registries.Registry, w *repositoryWork, found []candidate, rule registries.Rule) ([]candidate, error) {
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(b.date.Compare(a.date), slices.Compare(b.tags, a.tags))
	})
	pushed := rules.Pushed(rule.Rule, r.Now())
	found = slices.DeleteFunc(found, func(c candidate) bool {
		late := !pushed.Holds(c.date)
		if late {
			w.leave(c, state.LeftByAge)
		}
		return late
	})
	if rule.Cap <= 0 {
		return found, nil
	}
	var broken []error
	chosen := make([]candidate, 0, rule.Cap)
	for _, c := range found {
		if len(chosen) == rule.Cap {
			w.leave(c, state.LeftByCap)
			continue
		}
		if !c.image && len(found) > rule.Cap {
			switch _, err := r.Planner.Describe(ctx, reg, c.repository, c.digest); {
			case errors.Is(err, registry.ErrNotFound):
				continue
			case errors.Is(err, plan.ErrNotImage):
				w.none(c)
				continue
			case ctx.Err() != nil, errors.Is(err, registry.ErrUnavailable):
				return nil, err
			case err != nil:
				w.undated(c)
				broken = append(broken, err)
				continue
			}
		}
		chosen = append(chosen, c)
	}
	return chosen, errors.Join(broken...)
}
