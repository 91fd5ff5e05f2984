// Package plan decides what is to be scanned. It turns facts, sweeps and
// requests into places and jobs: it resolves a tag at the configured registry,
// an index into its platforms, and adds the one who asks to the job of each
// image that is not known yet.
package plan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/ledger"
	"github.com/landwaiter/landwaiter/services/worker/internal/places"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Planner makes places and jobs.
type Planner struct {
	Bus        *bus.Bus
	State      *state.Store
	Registries *registries.Set
	Checker    *places.Checker
	Engine     string // what a current inventory is made with
	// Deadline is how long a job may take, everything included.
	Deadline time.Duration
	Ledger   ledger.Book
	// Placed is told of each image whose place was just recorded for the first
	// time; nil: nobody is.
	Placed func(registry string, origin state.Origin)
	Now    func() time.Time
	Log    *zap.Logger

	away away
}

// Target is an image somebody wants scanned, as far as it is known.
type Target struct {
	Registry   registries.Registry
	Repository string
	Tag        string        // blank: by digest alone
	Digest     events.Digest // blank: whatever the tag leads to
	Lane       events.Lane
	Requester  string // id of who asks
	Origin     state.Origin
	Rules      []registries.Rule
	Platforms  func(events.Platform) bool
	Force      bool      // scan again what is known
	Refetch    time.Time // and read layers again that were read before; zero: none
	// PushedAt is when PushedBy, a webhook or the registry, says that it was
	// pushed; zero: neither does.
	PushedAt time.Time
	PushedBy events.DateSource
	// Appeared says that it was not there at an earlier listing.
	Appeared bool
	// Created is the claim of an index's newest image; zero: not known.
	Created time.Time
	// SeenAt is when the registry was seen to lead the tags in Seen to the
	// digest, which saves asking it; zero: it is asked.
	SeenAt time.Time
	Seen   []string
	// Since is the revision of the places at SeenAt, where none of them had any
	// of the tags; 0: it is not known who had them.
	Since uint64
	// Reserve is asked before each scan that is to be released and may wait;
	// nil: any number may be. It is told of each digest again when planning is
	// repeated.
	Reserve func(ctx context.Context, d events.Digest) error
}

// Outcome is what became of a target.
type Outcome struct {
	Digest events.Digest   // of the manifest or index
	Images []events.Digest // platform images in the target
	// Untagged says that the tag did not lead to the digest when it was asked
	// for: it has moved on, or the registry has not set it yet.
	Untagged bool
}

// Ensure makes the target's places current and sees to it that each of its
// images is scanned or known. It can be repeated without harm. Errors are the
// registry's, or ErrNotImage.
func (p *Planner) Ensure(ctx context.Context, t Target) (Outcome, error) {
	out, err := p.ensure(ctx, t)
	p.Condition(ctx, t.Registry.Name(), err)
	return out, err
}

func (p *Planner) ensure(ctx context.Context, t Target) (Outcome, error) {
	d, tags, err := resolve(ctx, t)
	if err != nil {
		return Outcome{}, err
	}
	img, err := p.Describe(ctx, t.Registry, t.Repository, d)
	if err != nil {
		return Outcome{Digest: d}, err
	}
	if tags, err = p.moveTags(ctx, t, tags, img); err != nil {
		return Outcome{Digest: d}, err
	}
	if !img.Index() && !t.covers(img.Platform) {
		return Outcome{Digest: d}, nil
	}
	if err := p.place(ctx, t, tags, img, img.Index()); err != nil {
		return Outcome{Digest: d}, err
	}
	out := Outcome{Digest: d, Untagged: t.Tag != "" && !slices.Contains(tags, t.Tag)}
	if img.Index() {
		return p.children(ctx, t, tags, out, img)
	}
	return p.images(ctx, t, out, img)
}

func (t Target) covers(pf events.Platform) bool { return t.Platforms == nil || t.Platforms(pf) }

// resolve asks the registry for the digest. A tag that has moved on since the
// push was announced is left out: the newer push has an event of its own.
func resolve(ctx context.Context, t Target) (events.Digest, []string, error) {
	if !t.SeenAt.IsZero() {
		return t.Digest, t.Seen, nil
	}
	ref := t.Tag
	if t.Digest != "" {
		ref = string(t.Digest)
	}
	desc, err := t.Registry.Head(ctx, t.Repository, ref)
	if err != nil {
		return "", nil, err
	}
	d, err := events.ParseDigest(desc.Digest)
	if err != nil {
		return "", nil, fmt.Errorf("resolve %s: %w", ref, err)
	}
	if t.Tag == "" {
		return d, nil, nil
	}
	if t.Digest == "" {
		return d, []string{t.Tag}, nil
	}
	if now, err := t.Registry.Head(ctx, t.Repository, t.Tag); err != nil || now.Digest != string(d) {
		return d, nil, nil //nolint:nilerr // the digest is what was asked for; a tag that cannot be read now is no tag of it
	}
	return d, []string{t.Tag}, nil
}

// children plans the platform images of an index. One that cannot be planned
// does not keep the others from it.
func (p *Planner) children(ctx context.Context, t Target, tags []string, out Outcome, index state.Image) (Outcome, error) {
	var errs []error
	for _, child := range index.Children {
		if !t.covers(child.Platform) {
			continue
		}
		img, err := p.Describe(ctx, t.Registry, t.Repository, child.Digest)
		if err == nil {
			err = p.place(ctx, t, tags, img, false)
		}
		if err == nil {
			out, err = p.images(ctx, t, out, img)
		}
		if err != nil && !errors.Is(err, ErrNotImage) {
			errs = append(errs, err)
		}
	}
	return out, errors.Join(errs...)
}

func (p *Planner) images(ctx context.Context, t Target, out Outcome, img state.Image) (Outcome, error) {
	if !t.covers(img.Platform) {
		return out, nil // the index said otherwise than the image itself
	}
	out.Images = append(out.Images, img.Digest)
	if known(img, p.Engine, t.Registry.Settings.TrustGroup()) && !t.Force {
		if t.Lane != events.LaneSweep {
			p.Ledger.Known(ctx, t.Registry.Settings.TrustGroup())
		}
		return out, nil
	}
	if t.Reserve != nil {
		if err := t.Reserve(ctx, img.Digest); err != nil {
			return out, err
		}
	}
	return out, p.job(ctx, t, img)
}

// place records a sighting of the image.
func (p *Planner) place(ctx context.Context, t Target, tags []string, img state.Image, index bool) error {
	now := p.Now()
	names := make([]string, 0, len(t.Rules))
	for _, r := range t.Rules {
		names = append(names, r.Name)
	}
	key := state.PlaceKey(img.Digest, t.Registry.Name(), t.Repository)
	var created bool
	rec, err := p.State.Places.Change(ctx, failpoint.PlanPlace, key, func(pl *state.Place, exists bool) error {
		created = !exists
		changed := !exists || !pl.MissingSince.IsZero() || pl.Expired
		if !exists {
			*pl = state.Place{
				Registry: t.Registry.Name(), Host: t.Registry.Host(), Repository: t.Repository,
				Digest: img.Digest, Index: index, Platform: img.Platform,
				FirstSeen: now, Origin: t.Origin, Appeared: t.Appeared,
			}
		}
		pl.Sighted(now)
		pl.Pushed(t.PushedAt, t.PushedBy)
		if made := made(t, img); !made.IsZero() {
			pl.Created = made
		}
		tagged, ruled := addTags(pl, tags, now), p.setRules(pl, names)
		changed = tagged || ruled || changed
		pl.Retention, pl.CheckEvery = p.Registries.Keep(t.Rules, pl.Rules)
		if changed {
			pl.Announce = events.ImageChanged
		}
		return nil
	})
	if err != nil {
		return err
	}
	if created && !index && p.Placed != nil {
		p.Placed(t.Registry.Name(), t.Origin)
	}
	return p.Checker.Announce(ctx, rec)
}

// made is the claim of the image's configuration, an index's that of its
// newest image.
func made(t Target, img state.Image) time.Time {
	if img.Index() {
		return t.Created
	}
	return img.Created
}

func addTags(pl *state.Place, tags []string, now time.Time) (added bool) {
	pl.Tags = maps.Clone(pl.Tags)
	for _, tag := range tags {
		if _, has := pl.Tags[tag]; has {
			continue
		}
		if pl.Tags == nil {
			pl.Tags = map[string]time.Time{}
		}
		pl.Tags[tag], added = now, true
	}
	return added
}

// setRules adds the rules that ask now to those that did before and are still
// there for the repository.
func (p *Planner) setRules(pl *state.Place, names []string) bool {
	rules := slices.Clone(names)
	for _, r := range p.Registries.Rules(pl.Registry) {
		if slices.Contains(pl.Rules, r.Name) && r.Repository(pl.Repository) {
			rules = append(rules, r.Name)
		}
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	changed := !slices.Equal(rules, pl.Rules)
	pl.Rules = rules
	return changed
}

// moveTags takes the tags from the images they led to before. It returns those
// that are this image's: not the ones that another image got after they were
// seen to lead to this one. Only for tags that are new here it looks at the
// repository's other images, which is dear.
func (p *Planner) moveTags(ctx context.Context, t Target, tags []string, img state.Image) ([]string, error) {
	here, err := p.State.Places.Get(ctx, state.PlaceKey(img.Digest, t.Registry.Name(), t.Repository))
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return nil, err
	}
	arrived := slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { _, has := here.Value.Tags[tag]; return has })
	if len(arrived) == 0 {
		return tags, nil
	}
	moved := map[string][]string{} // by the place that had them
	overtaken := map[string]bool{}
	err = p.others(ctx, t, func(r state.Record[state.Place]) error {
		if r.Value.Digest == img.Digest || isChild(img, r.Value.Digest) {
			return nil
		}
		for _, tag := range arrived {
			since, has := r.Value.Tags[tag]
			switch {
			case !has:
			case !t.SeenAt.IsZero() && since.After(t.SeenAt):
				overtaken[tag] = true
			default:
				moved[r.Key] = append(moved[r.Key], tag)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for key, gone := range moved {
		gone = slices.DeleteFunc(gone, func(tag string) bool { return overtaken[tag] })
		if err := p.takeTags(ctx, key, gone); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return overtaken[tag] }), nil
}

// others calls each for the places in the target's repository that may have its
// tags.
func (p *Planner) others(ctx context.Context, t Target, each func(state.Record[state.Place]) error) error {
	filter := state.PlacesOfRepository(t.Registry.Name(), t.Repository)
	if t.Since > 0 {
		return p.State.Places.Since(ctx, filter, t.Since, each)
	}
	return p.State.Places.All(ctx, filter, each)
}

func (p *Planner) takeTags(ctx context.Context, key string, tags []string) error {
	rec, err := p.State.Places.Change(ctx, failpoint.PlanPlace, key, func(pl *state.Place, exists bool) error {
		before := len(pl.Tags)
		for _, tag := range tags {
			delete(pl.Tags, tag)
		}
		if !exists || pl.Expired || len(pl.Tags) == before {
			return state.ErrUnchanged
		}
		pl.Announce = events.ImageChanged
		return nil
	})
	if err != nil {
		return err
	}
	return p.Checker.Announce(ctx, rec)
}

func isChild(index state.Image, d events.Digest) bool {
	return slices.ContainsFunc(index.Children, func(c state.Child) bool { return c.Digest == d })
}

// errKnown leaves a job alone whose image was scanned in the meantime.
var errKnown = errors.New("the image is known")

// since returns errKnown for an image whose job has ended since it was looked
// at.
func (p *Planner) since(ctx context.Context, t Target, d events.Digest) error {
	fresh, err := p.State.Images.Get(ctx, d.Token())
	if err == nil && known(fresh.Value, p.Engine, t.Registry.Settings.TrustGroup()) {
		return errKnown
	}
	return err
}

// requester is the one who asks, and the pool that is to do it.
func (t Target) requester(now time.Time) (r state.Requester, pool string) {
	r = state.Requester{
		ID: t.Requester, Lane: t.Lane, Registry: t.Registry.Name(), Repository: t.Repository, At: now,
		Refetch: t.Refetch,
	}
	pool = events.AnyPool
	for _, rule := range t.Rules {
		r.Rules = append(r.Rules, rule.Name)
		if rule.Pool != "" && pool == events.AnyPool {
			pool = rule.Pool
		}
	}
	return r, pool
}

// job adds the one who asks to the image's job and wakes a worker.
func (p *Planner) job(ctx context.Context, t Target, img state.Image) error {
	now := p.Now()
	r, pool := t.requester(now)
	var wake bool
	rec, err := p.State.Jobs.Change(ctx, failpoint.PlanJob, img.Digest.Token(), func(j *state.Job, _ bool) error {
		if j.State == state.JobDone && !t.Force {
			if err := p.since(ctx, t, img.Digest); err != nil {
				return err
			}
		}
		j.Digest, j.Platform = img.Digest, img.Platform
		// A job that was forgotten goes on counting where its image stands.
		j.Generation = max(j.Generation, img.Generation)
		before := len(j.Requesters)
		generation := j.Generation
		wake = j.Request(r, now)
		if j.Generation != generation {
			j.Pool = pool
			j.Deadline = now.Add(p.Deadline)
		}
		if !wake && len(j.Requesters) == before && j.Generation == generation {
			return state.ErrUnchanged
		}
		return nil
	})
	if errors.Is(err, errKnown) {
		return nil
	}
	if err != nil || !wake {
		return err
	}
	if err := p.queued(ctx, rec.Value, t, img); err != nil {
		return err
	}
	return Wake(ctx, p.Bus, failpoint.PlanWake, rec.Value)
}

func (p *Planner) queued(ctx context.Context, j state.Job, t Target, img state.Image) error {
	scan := ScanID(j)
	e, err := events.New(events.ScanEvent{
		Kind: events.ScanQueued, Scan: scan, Generation: j.Generation, Status: int(verdict.Pending),
		Image: events.Image{
			Registry: t.Registry.Name(), Host: t.Registry.Host(), Repository: t.Repository,
			Digest: img.Digest, Platform: img.Platform,
		},
		Lane: j.Lane, Rules: j.Rules(), At: j.QueuedAt,
	}, events.Meta{ID: "scan/" + scan + "/queued", Source: "worker/" + t.Registry.Name(), Time: j.QueuedAt})
	if err != nil {
		return err
	}
	return p.Bus.Publish(ctx, failpoint.PlanQueued, e)
}

// ScanID names one run of a job.
func ScanID(j state.Job) string { return fmt.Sprintf("%s.%d", j.Digest.Token(), j.Generation) }

// Wake publishes a wake-up for the job. Each has an id of its own: one that
// the broker took for a repetition would be lost.
func Wake(ctx context.Context, b *bus.Bus, point failpoint.Point, j state.Job) error {
	e, err := events.New(j.WakeUp(), events.Meta{ID: "wake/" + uuid.NewString(), Source: "worker", Time: time.Now()})
	if err != nil {
		return err
	}
	return b.Publish(ctx, point, e)
}
