package scan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/layers"
	"github.com/landwaiter/landwaiter/services/worker/internal/merge"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
)

// run makes the image's inventory and report and stores both in the image's
// record.
func (s *Scanner) run(ctx context.Context, j state.Job) error {
	rec, err := s.State.Images.Get(ctx, j.Digest.Token())
	if err != nil {
		return err
	}
	if err := s.status(ctx, j, verdict.Scanning); err != nil {
		return err
	}
	if err := s.progress(ctx, j, events.ScanStarted, failpoint.ScanStarted, verdict.Scanning); err != nil {
		return err
	}
	inv, trust, err := s.inventory(ctx, j, rec.Value)
	if err != nil {
		return err
	}
	raw, err := inv.Encode()
	if err != nil {
		return err
	}
	object, err := s.State.Inventories.Put(ctx, failpoint.ScanInventory, raw)
	if err != nil {
		return err
	}
	if err := s.progress(ctx, j, events.ScanInventoried, failpoint.ScanInventoried, verdict.Scanned); err != nil {
		return err
	}
	return s.assess(ctx, j, made{inventory: inv, object: object, trust: trust, at: s.Now()})
}

// status keeps the image's record true while the scan goes on.
func (s *Scanner) status(ctx context.Context, j state.Job, status verdict.Status) error {
	_, err := s.State.Images.Change(ctx, failpoint.ScanStatus, j.Digest.Token(), func(img *state.Image, exists bool) error {
		if !exists || img.Generation > j.Generation {
			return state.ErrUnchanged
		}
		img.Status, img.Generation = status, j.Generation
		return nil
	})
	return err
}

// progress tells of a step at the place that asked first.
func (s *Scanner) progress(ctx context.Context, j state.Job, kind events.Kind, point failpoint.Point, status verdict.Status) error {
	if len(j.Requesters) == 0 {
		return nil
	}
	r := j.Requesters[0]
	place, err := s.State.Places.Get(ctx, state.PlaceKey(j.Digest, r.Registry, r.Repository))
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	data := progress(kind, j, place.Value, status)
	data.At, data.Worker = s.Now(), s.Worker
	id := fmt.Sprintf("scan/%s/%s/%d", plan.ScanID(j), kind, data.Attempt)
	e, err := events.New(data, events.Meta{ID: id, Source: "worker/" + r.Registry, Time: data.At})
	if err != nil {
		return err
	}
	return s.Bus.Publish(ctx, point, e)
}

// inventory makes the image's inventory from the first place that has it.
func (s *Scanner) inventory(ctx context.Context, j state.Job, img state.Image) (inventory.Image, string, error) {
	var errs []error
	tried := map[string]bool{}
	for _, r := range j.Requesters {
		where := r.Registry + "/" + r.Repository
		if tried[where] {
			continue
		}
		tried[where] = true
		reg, err := s.Registries.Get(r.Registry)
		if err == nil {
			var inv inventory.Image
			if inv, err = s.layers(ctx, layers.Source{
				Registry: reg, Repository: r.Repository, Sweep: j.Lane == events.LaneSweep, Since: j.Refetch(),
			}, img); err == nil {
				return inv, reg.Settings.TrustGroup(), nil
			}
		}
		if ctx.Err() != nil {
			return inventory.Image{}, "", err
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return inventory.Image{}, "", fmt.Errorf("image %s: nobody asked for it", img.Digest)
	}
	return inventory.Image{}, "", errors.Join(errs...)
}

// layers gets every layer's inventory and lays them over each other.
func (s *Scanner) layers(ctx context.Context, from layers.Source, img state.Image) (inventory.Image, error) {
	history := make([]verdict.Layer, len(img.Layers))
	sizes := make([]int64, len(img.Layers))
	for i, l := range img.Layers {
		history[i] = verdict.Layer{Index: i, Digest: string(l.Digest), CreatedBy: l.CreatedBy, Size: l.Size}
		sizes[i] = l.Size
	}
	merger := merge.New(s.Engine, history)
	meter := NewMeter(img.Digest, sizes, s.Progress)
	// A layer that fails ends no other one's read: what is read to its end is
	// there for the next attempt, and for the images that share it.
	var group errgroup.Group
	var failed atomic.Bool
	group.SetLimit(cap(s.Shelf.Flight))
	for i, l := range img.Layers {
		if l.Foreign {
			merger.Add(i, Foreign(l))
			meter.Done(i, l.Size)
			continue
		}
		group.Go(func() error {
			if failed.Load() {
				return nil // the group has its error
			}
			src := from
			src.Digest, src.Size, src.Progress = l.Digest, l.Size, func(n int64) { meter.Read(i, n) }
			inv, err := s.Shelf.Get(ctx, src)
			if err != nil {
				failed.Store(true)
				return err
			}
			merger.Add(i, inv)
			meter.Done(i, l.Size)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return inventory.Image{}, err
	}
	s.Shelf.Ledger.Needed(ctx, from.Registry.Settings.TrustGroup(), len(sizes), sum(sizes))
	return complete(merger.Image(), img), nil
}

// Merge lays an image's layers over each other.
func Merge(engine string, made []inventory.Layer, history []verdict.Layer, img state.Image) inventory.Image {
	return complete(merge.Merge(engine, made, history), img)
}

// complete adds what only the image's configuration tells.
func complete(merged inventory.Image, img state.Image) inventory.Image {
	if img.Platform.OS == "windows" {
		merge.Windows(&merged, img.OSVersion)
	}
	return merged
}

// Foreign is the inventory of a layer that is not in the registry.
func Foreign(l state.ImageLayer) inventory.Layer {
	return inventory.Layer{
		Digest: string(l.Digest), Partial: true,
		Notes: []verdict.Note{{
			Code: verdict.NoteForeignLayer, Layer: string(l.Digest),
			Message: "the layer is not in the registry and was not inspected",
		}},
	}
}

// made is a finished inventory.
type made struct {
	inventory inventory.Image
	object    events.Digest
	trust     string
	at        time.Time
}

// assess compares the inventory with the database and stores the verdict,
// again if the database was replaced meanwhile.
func (s *Scanner) assess(ctx context.Context, j state.Job, m made) error {
	for {
		v, err := s.Databases.Make(assess.Subject{Digest: j.Digest, Platform: j.Platform, Inventory: m.object}, m.inventory)
		if err != nil {
			return err
		}
		if err := v.Store(ctx, s.State, failpoint.ScanReport); err != nil {
			return err
		}
		if err := s.commit(ctx, j, m, v); err != nil {
			return err
		}
		if s.Databases.Version() == v.Database.Version {
			s.overtaken(ctx, j, v)
			return nil
		}
	}
}

// overtaken asks for the verdict to be made again where the current database
// is one that this worker has not opened yet. The keeper would, later.
func (s *Scanner) overtaken(ctx context.Context, j state.Job, v assess.Verdict) {
	current, err := s.Databases.Current(ctx)
	if err == nil && current != "" && current != v.Database.Version {
		err = assess.Ask(ctx, s.Bus, j.Digest, current, "scan/"+plan.ScanID(j)+"/"+v.Database.Version)
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("current database not looked up", zap.String("digest", string(j.Digest)), zap.Error(err))
	}
}

// commit makes inventory and verdict the image's, unless a newer start has
// committed before.
func (s *Scanner) commit(ctx context.Context, j state.Job, m made, v assess.Verdict) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	_, err := s.State.Images.Change(ctx, failpoint.ScanImage, j.Digest.Token(), func(img *state.Image, exists bool) error {
		if !exists || img.Generation > j.Generation {
			return errLost
		}
		img.Engine, img.Inventory, img.ScannedAt = s.Engine, m.object, m.at
		img.Trust = addTrust(img.Trust, m.trust)
		v.Commit(img, s.Now())
		img.Generation, img.Error = j.Generation, ""
		return nil
	})
	return err
}

func addTrust(groups []string, group string) []string {
	if slices.Contains(groups, group) {
		return groups
	}
	return append(groups, group)
}

func sum(sizes []int64) int64 {
	var total int64
	for _, n := range sizes {
		total += n
	}
	return total
}
