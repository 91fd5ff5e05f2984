package keeper

import (
	"context"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// objects collects when a round is due.
func (k *Keeper) objects(ctx context.Context) error {
	now := k.Now()
	if k.collectedAt.IsZero() {
		k.collectedAt = now
	}
	if now.Sub(k.collectedAt) < k.CollectEvery {
		return nil
	}
	k.collectedAt = now
	return k.collect(ctx)
}

// collect removes the objects that no record names, and the layer inventories
// that no image has. What is younger than a round may be named in a moment.
func (k *Keeper) collect(ctx context.Context) error {
	named := map[events.Digest]bool{}
	layers := map[events.Digest]bool{}
	err := k.State.Images.All(ctx, ">", func(r state.Record[state.Image]) error {
		named[r.Value.Inventory], named[r.Value.Report], named[r.Value.Announced] = true, true, true
		for _, l := range r.Value.Layers {
			layers[l.Digest] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := k.collectLayers(ctx, layers, named); err != nil {
		return err
	}
	if err := k.State.Databases.All(ctx, ">", func(r state.Record[state.Database]) error {
		named[r.Value.Object], named[r.Value.Changes] = true, true
		return nil
	}); err != nil {
		return err
	}
	for _, store := range []*state.Objects{k.State.Inventories, k.State.Reports, k.State.Advisories} {
		if err := k.collectObjects(ctx, store, named); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) collectLayers(ctx context.Context, wanted, named map[events.Digest]bool) error {
	var over []state.Record[state.Layer]
	err := k.State.Layers.All(ctx, ">", func(r state.Record[state.Layer]) error {
		if !wanted[r.Value.Digest] && k.Now().Sub(lastUse(r.Value)) > k.CollectEvery {
			over = append(over, r)
			return nil
		}
		named[r.Value.Object] = true
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range over {
		if err := settled(k.State.Layers.Delete(ctx, failpoint.KeeperLayer, r)); err != nil {
			return err
		}
	}
	return nil
}

// lastUse is when a layer was read, or was last being read by a worker that may
// be dead.
func lastUse(l state.Layer) time.Time {
	if l.State == state.LayerReading {
		return l.Lease.Until
	}
	return l.ReadAt
}

func (k *Keeper) collectObjects(ctx context.Context, store *state.Objects, named map[events.Digest]bool) error {
	objects, err := store.List(ctx)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if named[o.Digest] || k.Now().Sub(o.At) < k.CollectEvery {
			continue
		}
		if err := store.Remove(ctx, failpoint.KeeperObject, o.Digest, o.At); err != nil {
			return err
		}
	}
	return nil
}
