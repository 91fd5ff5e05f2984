package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// ErrNotImage is the error for a manifest that describes no container image:
// a chart, a signature, an attestation.
var ErrNotImage = errors.New("not a container image")

// Describe returns what the manifest says. It is read from the registry once
// in its life; whoever is the first keeps it in the image's record.
func (p *Planner) Describe(ctx context.Context, reg registries.Registry, repository string, d events.Digest) (state.Image, error) {
	rec, err := p.State.Images.Get(ctx, d.Token())
	if err == nil {
		return rec.Value, nil
	}
	if !errors.Is(err, state.ErrNotFound) {
		return state.Image{}, err
	}
	img, err := Read(ctx, reg, repository, d)
	if err != nil {
		return state.Image{}, err
	}
	rec, err = p.State.Images.Create(ctx, failpoint.PlanImage, d.Token(), img)
	if errors.Is(err, state.ErrConflict) {
		rec, err = p.State.Images.Get(ctx, d.Token())
	}
	return rec.Value, err
}

// Content is where manifests and configurations can be read: a registry, or
// files that hold the same.
type Content interface {
	Manifest(ctx context.Context, repository, digest string) (raw []byte, mediaType string, err error)
	Config(ctx context.Context, repository, digest string) ([]byte, error)
	Host() string
}

// Read returns what the manifest says: an image's layers, or an index's
// images. Anything else is ErrNotImage.
func Read(ctx context.Context, reg Content, repository string, d events.Digest) (state.Image, error) {
	raw, mediaType, err := reg.Manifest(ctx, repository, string(d))
	if err != nil {
		return state.Image{}, err
	}
	m, err := registry.Classify(raw, mediaType)
	if err != nil {
		return state.Image{}, err
	}
	img := state.Image{Digest: d, MediaType: m.MediaType, Status: verdict.Unscanned}
	switch m.Class {
	case registry.Index:
		return index(ctx, reg, repository, img, m)
	case registry.Image:
		return platformImage(ctx, reg, repository, img, m)
	default:
		return state.Image{}, fmt.Errorf("%s/%s@%s: %w but %s%s", reg.Host(), repository, d, ErrNotImage, m.Class, because(m.Reason))
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

const (
	// nestedIndexes is how deep indexes are followed into each other: two, as
	// where an index of releases holds one of platforms.
	nestedIndexes = 2
	// nestedImages bounds the images of an index and those inside it: as many as
	// one index may name.
	nestedImages = 1000
)

// index keeps the children that are images: attestations and children of an
// unknown platform are none.
func index(ctx context.Context, reg Content, repository string, img state.Image, m registry.Manifest) (state.Image, error) {
	var err error
	if img.Children, err = children(ctx, reg, repository, m, nestedIndexes); err != nil {
		return img, fmt.Errorf("child of index %s: %w", img.Digest, err)
	}
	if len(img.Children) == 0 {
		return img, fmt.Errorf("index %s: %w: it names no image for any platform", img.Digest, ErrNotImage)
	}
	return img, nil
}

// children are the images of an index and of the indexes inside it, so many
// levels deep.
func children(ctx context.Context, reg Content, repository string, m registry.Manifest, levels int) ([]state.Child, error) {
	var all []state.Child
	for _, c := range m.Children {
		if c.Attestation || c.Platform.OS == "unknown" {
			continue
		}
		d, err := events.ParseDigest(c.Digest)
		if err != nil {
			return nil, err
		}
		more := []state.Child{{Digest: d, Platform: events.Platform(c.Platform)}}
		if c.Platform.OS == "" {
			more, err = undeclared(ctx, reg, repository, d, levels)
		}
		if errors.Is(err, ErrNotImage) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if all = append(all, more...); len(all) > nestedImages {
			return nil, fmt.Errorf("%w: more than %d images", registry.ErrTooLarge, nestedImages)
		}
	}
	return all, nil
}

// undeclared reads the platform of a child whose index does not say it, which
// is in the configuration, or the images of a child that is an index again.
func undeclared(ctx context.Context, reg Content, repository string, d events.Digest, levels int) ([]state.Child, error) {
	raw, mediaType, err := reg.Manifest(ctx, repository, string(d))
	if err != nil {
		return nil, err
	}
	m, err := registry.Classify(raw, mediaType)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Class == registry.Index && levels > 1:
		return children(ctx, reg, repository, m, levels-1)
	case m.Class == registry.Index:
		return nil, fmt.Errorf("%w: indexes in each other, more than %d", registry.ErrTooLarge, nestedIndexes)
	case m.Class != registry.Image:
		return nil, ErrNotImage
	}
	img, err := platformImage(ctx, reg, repository, state.Image{Digest: d}, m)
	return []state.Child{{Digest: d, Platform: img.Platform}}, err
}

func platformImage(ctx context.Context, reg Content, repository string, img state.Image, m registry.Manifest) (state.Image, error) {
	raw, err := reg.Config(ctx, repository, m.Config.Digest)
	if err != nil {
		return img, err
	}
	cfg, err := registry.ParseConfig(raw)
	if err != nil {
		return img, err
	}
	img.Config = descriptor(m.Config)
	img.Platform = events.Platform(cfg.Platform)
	img.OSVersion = cfg.OSVersion
	img.Created = cfg.Created
	for i, l := range m.Layers {
		layer := state.ImageLayer{Descriptor: descriptor(l), Foreign: l.Foreign}
		if i < len(cfg.CreatedBy) {
			layer.CreatedBy = clipStep(cfg.CreatedBy[i])
		}
		img.Layers = append(img.Layers, layer)
	}
	return img, nil
}

func descriptor(d registry.Descriptor) state.Descriptor {
	return state.Descriptor{Digest: events.Digest(d.Digest), MediaType: d.MediaType, Size: d.Size}
}

// clipStep keeps the records of images with enormous build steps small.
func clipStep(s string) string {
	const most = 512
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// known reports whether the image needs no scan: it has an inventory of the
// current engine that its trust group may see.
func known(img state.Image, engine, trust string) bool {
	return img.Inventory != "" && img.Engine == engine && slices.Contains(img.Trust, trust)
}
