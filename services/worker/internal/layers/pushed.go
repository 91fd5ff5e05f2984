package layers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Pushed starts the inventory of a layer when its push is announced, before
// any manifest names it.
type Pushed struct {
	Shelf      *Shelf
	Registries *registries.Set
	// Wanted reports whether a rule scans pushes to the repository.
	Wanted func(registry, repository string) bool
	// Most is the size in bytes up to which a layer is read on the word of an
	// event alone.
	Most int64
	Log  *zap.Logger
}

// Fact handles a layer.pushed event. It only saves time: whatever goes wrong
// here, the scan of the image that has the layer will meet it again and say so.
func (p *Pushed) Fact(ctx context.Context, d bus.Delivery) error {
	e, ok := d.Data().(events.RegistryEvent)
	if !ok {
		return bus.DeadLetter(fmt.Errorf("%s is no registry event", d.Kind()))
	}
	if e.Digest == "" || e.Size > p.Most || !p.Wanted(e.Registry, e.Repository) {
		return nil
	}
	// No job bounds this, and a registry may be slow for ever.
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	reg, err := p.Registries.Get(e.Registry)
	if err == nil {
		_, err = p.Shelf.Get(ctx, Source{Registry: reg, Repository: e.Repository, Digest: e.Digest})
	}
	switch {
	case err == nil, errors.Is(err, layer.ErrNotLayer):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("read pushed layer %s: %w", e.Digest, err)
	default:
		p.Log.Info("pushed layer left to its image", zap.String("layer", string(e.Digest)), zap.Error(err))
		return nil
	}
}
