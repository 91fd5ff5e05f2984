package sweep

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// askedAtOnce is how many of a repository's tags and manifests are asked for at
// a time. The registry's own limits hold besides: they are for all who ask it.
const askedAtOnce = 16

// resolve gathers the tags by the digest they lead to. It asks the registry for
// those that neither its list tells nor an immutable tag.
func (r *runner) resolve(ctx context.Context, reg registries.Registry, rule registries.Rule, w *repositoryWork, tags []registry.Tag) (map[events.Digest]*candidate, error) {
	known, err := r.immutable(ctx, rule, w)
	if err != nil {
		return nil, err
	}
	digests, err := heads(ctx, reg, w.repository, tags, known)
	if err != nil {
		return nil, err
	}
	byDigest := map[events.Digest]*candidate{}
	for i, tag := range tags {
		if digests[i] == "" {
			continue // gone since the listing
		}
		d, err := events.ParseDigest(digests[i])
		if err != nil {
			return nil, err
		}
		if byDigest[d] == nil {
			byDigest[d] = &candidate{repository: w.repository, digest: d}
		}
		c := byDigest[d]
		c.tags = append(c.tags, tag.Name)
		if tag.Pushed.After(c.told) {
			c.told = tag.Pushed
		}
	}
	return byDigest, nil
}

// heads returns what each tag leads to, blank for one that is gone.
func heads(ctx context.Context, reg registries.Registry, repository string, tags []registry.Tag, known map[string]events.Digest) ([]string, error) {
	digests := make([]string, len(tags))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askedAtOnce)
	for i, tag := range tags {
		if digests[i] = cmp.Or(tag.Digest, string(known[tag.Name])); digests[i] != "" {
			continue
		}
		group.Go(func() error {
			desc, err := reg.Head(ctx, repository, tag.Name)
			if errors.Is(err, registry.ErrNotFound) {
				return nil
			}
			digests[i] = desc.Digest
			return err
		})
	}
	return digests, group.Wait()
}

// immutable returns what the repository's tags lead to that the rule says
// nobody can move, as far as they were seen before. A sweep that does
// everything again asks for all of them.
func (r *runner) immutable(ctx context.Context, rule registries.Rule, w *repositoryWork) (map[string]events.Digest, error) {
	if !rule.ImmutableTags || r.force() {
		return nil, nil //nolint:nilnil // none is known, and that is no error
	}
	known := map[string]events.Digest{}
	for d, p := range w.memory.passed {
		for _, tag := range p.Tags {
			known[tag] = d
		}
	}
	err := r.State.Places.All(ctx, state.PlacesOfRepository(rule.Registry, w.repository), func(rec state.Record[state.Place]) error {
		p := rec.Value
		if !p.MissingSince.IsZero() {
			return nil
		}
		for tag := range p.Tags { // an index's tags are also its images'
			if _, has := known[tag]; p.Index || !has {
				known[tag] = p.Digest
			}
		}
		return nil
	})
	return known, err
}

// dates dates the candidates, several at a time. Each has its own error.
func (r *runner) dates(ctx context.Context, reg registries.Registry, m memory, all []*candidate) []error {
	errs := make([]error, len(all))
	turns := make(chan struct{}, askedAtOnce)
	var asking sync.WaitGroup
	for i, c := range all {
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			errs[i] = r.date(ctx, reg, m, c)
		})
	}
	asking.Wait()
	return errs
}
