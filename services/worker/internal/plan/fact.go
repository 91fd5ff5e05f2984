package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/rule"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Fact handles what a registry said. A push is planned where a rule wants it;
// a delete is a request to look.
func (p *Planner) Fact(ctx context.Context, d bus.Delivery) error {
	e, ok := d.Data().(events.RegistryEvent)
	if !ok {
		return bus.DeadLetter(fmt.Errorf("%s is no registry event", d.Kind()))
	}
	switch e.Kind {
	case events.ImagePushed:
		return p.pushed(ctx, d, e)
	case events.ImageDeleted:
		return Verdict(p.deleted(ctx, e), p.Now().Sub(d.StoredAt))
	default:
		return nil
	}
}

func (p *Planner) pushed(ctx context.Context, d bus.Delivery, e events.RegistryEvent) error {
	rules := p.OnPush(e.Registry, e.Repository, e.Tag)
	if len(rules) == 0 || !scannable(e) {
		return nil
	}
	if wait := p.away.wait(e.Registry, p.Now()); wait > 0 {
		return bus.Later(wait, errAway)
	}
	reg, err := p.Registries.Get(e.Registry)
	if err != nil {
		p.Condition(ctx, e.Registry, err)
		return p.verdict(d, e, err)
	}
	pushed := e.OccurredAt
	if pushed.IsZero() {
		pushed = e.ReceivedAt // not every sender says when
	}
	out, err := p.Ensure(ctx, Target{
		Registry: reg, Repository: e.Repository, Tag: e.Tag, Digest: e.Digest, Lane: events.LanePush,
		Requester: "event/" + d.ID(), Origin: state.OriginPush, Rules: rules, Platforms: Platforms(rules),
		PushedAt: pushed, PushedBy: events.DateWebhook,
	})
	if err == nil && out.Untagged && d.Delivered <= tagLooks {
		return bus.Later(tagPause<<(d.Delivered-1), errTagNotSet)
	}
	return p.verdict(d, e, err)
}

// Registries announce a manifest before they set its tag: a push is looked at
// again a few times, with longer pauses, for its tag to arrive. The scan does
// not wait for it.
const (
	tagLooks = 5
	tagPause = 250 * time.Millisecond
)

var errTagNotSet = errors.New("the tag does not lead to the pushed image yet")

// scannable leaves out what the event itself says is no image. What it does
// not know, the manifest will tell.
func scannable(e events.RegistryEvent) bool {
	switch e.Class {
	case events.ClassChart, events.ClassSignature, events.ClassReferrer, events.ClassLayer:
		return false
	default:
		return !rule.IsSignatureTag(e.Tag)
	}
}

// OnPush returns the rules that want a push to be scanned. A push by digest
// alone, as the children of an index are pushed, waits for its index where the
// rule chooses tags.
func (p *Planner) OnPush(registryName, repository, tag string) []registries.Rule {
	var rules []registries.Rule
	for _, r := range p.Registries.Rules(registryName) {
		onPush := r.OnPush == nil || *r.OnPush
		tagged := tag != "" && r.Tag(tag) || tag == "" && len(r.Tags) == 0
		if onPush && r.Repository(repository) && tagged {
			rules = append(rules, r)
		}
	}
	return rules
}

// Platforms covers what any of the rules covers.
func Platforms(rules []registries.Rule) func(events.Platform) bool {
	return func(pf events.Platform) bool {
		return slices.ContainsFunc(rules, func(r registries.Rule) bool {
			return r.Platform(pf.OS, pf.Architecture, pf.Variant)
		})
	}
}

func (p *Planner) deleted(ctx context.Context, e events.RegistryEvent) error {
	var touched []state.Place
	filter := state.PlacesOfRepository(e.Registry, e.Repository)
	err := p.State.Places.All(ctx, filter, func(r state.Record[state.Place]) error {
		_, tagged := r.Value.Tags[e.Tag]
		if r.Value.Digest == e.Digest || tagged || e.Digest == "" && e.Tag == "" {
			touched = append(touched, r.Value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, place := range touched {
		_, err := p.Checker.Check(ctx, place)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// verdict says what a planning error means for the fact behind it.
func (p *Planner) verdict(d bus.Delivery, e events.RegistryEvent, err error) error {
	log := p.Log.With(zap.String("registry", e.Registry), zap.String("repository", e.Repository),
		zap.String("tag", e.Tag), zap.String("digest", string(e.Digest)))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, registry.ErrUnavailable): // whatever else became of other children
		return Verdict(err, p.Now().Sub(d.StoredAt))
	case errors.Is(err, ErrNotImage):
		log.Info("push is no image", zap.Error(err))
		return nil
	case errors.Is(err, registry.ErrNotFound):
		log.Info("pushed image is gone", zap.Error(err))
		return nil
	default:
		return Verdict(err, p.Now().Sub(d.StoredAt))
	}
}

// Verdict says what a registry's error means for the message behind it. A
// registry that does not answer is asked the more rarely the older the message
// is: each attempt may take a slot for as long as a connection takes to fail.
func Verdict(err error, age time.Duration) error {
	var unavailable *registry.Unavailable
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unavailable):
		return bus.Later(max(unavailable.RetryAfter, min(max(age/2, pauseFirst), pauseMost)), err)
	case errors.Is(err, registries.ErrUnknown), errors.Is(err, registry.ErrInvalid),
		errors.Is(err, registry.ErrTooLarge), errors.Is(err, registry.ErrUnsupported):
		return bus.DeadLetter(err)
	default:
		return err
	}
}

// How long a registry that does not answer is left alone.
const (
	pauseFirst = 5 * time.Second
	pauseMost  = 5 * time.Minute
)

// LayerWanted reports whether some rule scans pushes to the repository, so
// that a layer pushed there is worth reading before its image is.
func (p *Planner) LayerWanted(registryName, repository string) bool {
	return slices.ContainsFunc(p.Registries.Rules(registryName), func(r registries.Rule) bool {
		return (r.OnPush == nil || *r.OnPush) && r.Repository(repository)
	})
}
