// Package project brings the view in line with the state. It never trusts an
// event for more than the name of an image: it reads what is true now and
// writes that, so that events may come late, twice, out of order or not at
// all.
package project

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// Projector writes the view.
type Projector struct {
	state *state.Store
	view  *view.View
	log   *zap.Logger

	done, failed atomic.Uint64
}

// Counts tells how many images were projected, and how often that failed.
func (p *Projector) Counts() (done, failed uint64) { return p.done.Load(), p.failed.Load() }

// New returns a projector from a state to a view.
func New(s *state.Store, v *view.View, log *zap.Logger) *Projector {
	return &Projector{state: s, view: v, log: log.Named("project")}
}

// imageTimeout bounds the projection of one image, its report included.
const imageTimeout = 30 * time.Second

// Image brings one image in line with the state; force also writes again what
// should be there already.
func (p *Projector) Image(ctx context.Context, d events.Digest, force bool) error {
	ctx, cancel := context.WithTimeout(ctx, imageTimeout)
	defer cancel()
	err := p.view.Update(ctx, d, force, func(had events.Digest) (view.Picture, error) {
		return p.picture(ctx, d, had)
	})
	if err != nil {
		p.failed.Add(1)
		return err
	}
	p.done.Add(1)
	return nil
}

// Handle is the handler of results.
func (p *Projector) Handle(ctx context.Context, d bus.Delivery) error {
	digest := DigestOf(d.Event)
	if digest == "" {
		return nil
	}
	err := p.Image(ctx, digest, false)
	if err != nil && d.Delivered <= hurried {
		return bus.Later(soon, err)
	}
	return err
}

const (
	// soon is the pause after a result that could not be projected: nearly
	// always the store is away, and users wait for what it is to show.
	soon = 2 * time.Second
	// hurried is for how many deliveries that holds; then the pauses grow.
	hurried = 100
)

// DigestOf is the image a result is about; empty where it is about none.
func DigestOf(e events.Event) events.Digest {
	switch data := e.Data().(type) {
	case events.ScanEvent:
		return data.Image.Digest
	case events.ScanCompleted:
		return data.Image.Digest
	case events.FindingsChanged:
		return data.Image.Digest
	case events.ImageEvent:
		return data.Image.Digest
	default:
		return ""
	}
}

// picture reads what the view is to hold of an image. An image without a place
// is held nowhere; one without a record of its own is known by its places.
func (p *Projector) picture(ctx context.Context, d, had events.Digest) (view.Picture, error) {
	places, err := p.places(ctx, d)
	if err != nil || len(places) == 0 {
		return view.Picture{}, err
	}
	image, err := get(ctx, p.state.Images, d)
	if err != nil {
		return view.Picture{}, err
	}
	job, err := get(ctx, p.state.Jobs, d)
	if err != nil {
		return view.Picture{}, err
	}
	pic := view.Picture{Image: imageDocument(d, image, job, places)}
	for _, place := range places {
		pic.Entries = append(pic.Entries, entry(pic.Image, place))
	}
	return pic, p.addReport(ctx, &pic, had)
}

// get reads a record that need not be there.
func get[T any](ctx context.Context, t *state.Table[T], d events.Digest) (*T, error) {
	r, err := t.Get(ctx, d.Token())
	if errors.Is(err, state.ErrNotFound) {
		return nil, nil //nolint:nilnil // no record is an answer, which every caller handles
	}
	if err != nil {
		return nil, err
	}
	return &r.Value, nil
}

func (p *Projector) places(ctx context.Context, d events.Digest) ([]state.Place, error) {
	records, err := p.state.Places.List(ctx, state.PlacesOfImage(d))
	if err != nil {
		return nil, fmt.Errorf("places of %s: %w", d, err)
	}
	list := make([]state.Place, 0, len(records))
	for _, r := range records {
		list = append(list, r.Value)
	}
	return list, nil
}
