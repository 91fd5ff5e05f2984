// Package layers keeps the inventory of every layer: made once for a trust
// group, shared by all workers, named by the verified digest of the layer.
package layers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/fingerprint"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/ledger"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Shelf gives out layer inventories, reading a layer only when nobody has.
type Shelf struct {
	State  *state.Store
	Reader *layer.Reader
	// Engine is the short form of the reader's engine, fit for a key.
	Engine string
	// Known is held against each layer as it is given out; nil: nothing is
	// known. What is kept does not depend on it.
	Known  *fingerprint.List
	Worker string
	// Lease is how long a reader that has gone silent keeps others waiting.
	Lease time.Duration
	// Flight bounds the layers read at a time by this worker: each needs
	// memory of its own.
	Flight chan struct{}
	// Express has room for one more where sweeps read: nobody who pushes waits
	// for a sweep's large layers. nil: he does.
	Express chan struct{}
	Ledger  ledger.Book
	Now     func() time.Time
	Log     *zap.Logger

	sweeping atomic.Int64 // layers that are read for sweeps
	recent   recent
}

// EngineKey shortens what an inventory depends on to a token of a key.
func EngineKey(engine string) string {
	sum := sha256.Sum256([]byte(engine))
	return hex.EncodeToString(sum[:8])
}

// poll is how often a layer that another worker reads is looked at.
const poll = 200 * time.Millisecond

// Source is where a layer can be read.
type Source struct {
	Registry   registries.Registry
	Repository string
	Digest     events.Digest
	Size       int64 // what its manifest says, in bytes; 0: not known
	Sweep      bool  // nobody but a sweep waits for it
	// Since is before when it may not have been read: then it is read again.
	Since time.Time
	// Progress is told the compressed bytes read so far; may be nil.
	Progress func(int64)
}

// Get returns the layer's inventory. It waits while another worker reads the
// layer, and takes over from one that died. A blob that is no layer gives
// layer.ErrNotLayer.
func (s *Shelf) Get(ctx context.Context, src Source) (inventory.Layer, error) {
	inv, err := s.get(ctx, src)
	return s.Known.Mark(inv), err
}

func (s *Shelf) get(ctx context.Context, src Source) (inventory.Layer, error) {
	// Nothing is kept of it: its digest was not verified.
	if inv, tooLarge := s.Reader.TooLarge(string(src.Digest), src.Size); tooLarge {
		return inv, nil
	}
	key := state.LayerKey(src.Registry.Settings.TrustGroup(), src.Digest, s.Engine)
	for {
		rec, err := s.State.Layers.Get(ctx, key)
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			return inventory.Layer{}, err
		}
		rec.Key = key
		if !rec.Value.ReadAt.Before(src.Since) {
			inv, found, err := s.stored(ctx, rec.Value)
			if found || err != nil {
				return inv, err
			}
		}
		claim := s.Worker + "/" + uuid.NewString()
		if !rec.Value.Lease.Held(claim, s.Now()) {
			// What was made before is there for others until it is made again.
			rec.Value.Digest, rec.Value.State = src.Digest, state.LayerReading
			rec.Value.Lease = state.Lease{Holder: claim, Until: s.Now().Add(s.Lease)}
			rec, err = s.State.Layers.Put(ctx, failpoint.LayerClaim, rec)
			if err == nil {
				inv, err := s.make(ctx, rec, src)
				if err == nil {
					s.Ledger.Read(ctx, src.Registry.Settings.TrustGroup(), inv.Size)
				}
				if errors.Is(err, errLost) && ctx.Err() == nil {
					continue // another worker reads it now: wait for that
				}
				return inv, err
			}
			if !errors.Is(err, state.ErrConflict) {
				return inventory.Layer{}, err
			}
		}
		if err := pause(ctx, poll); err != nil {
			return inventory.Layer{}, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// stored returns an inventory that was made before. One whose object is gone
// counts as never made.
func (s *Shelf) stored(ctx context.Context, rec state.Layer) (inventory.Layer, bool, error) {
	switch {
	case rec.State == state.LayerNotImage:
		return inventory.Layer{}, true, fmt.Errorf("layer %s: %w", rec.Digest, layer.ErrNotLayer)
	case rec.Object != "": // also while it is read again
		raw, err := s.State.Inventories.Get(ctx, rec.Object, inventory.MaxEncoded)
		if errors.Is(err, state.ErrNotFound) {
			return inventory.Layer{}, false, nil
		}
		if err != nil {
			return inventory.Layer{}, false, err
		}
		inv, err := inventory.DecodeLayer(raw)
		if err == nil {
			s.recent.add(rec.Object, inv)
		}
		return inv, true, err
	default:
		return inventory.Layer{}, false, nil
	}
}

// make reads the layer under a lease that is renewed while it lasts.
func (s *Shelf) make(ctx context.Context, rec state.Record[state.Layer], src Source) (inventory.Layer, error) {
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	held := &claim{shelf: s, key: rec.Key, rec: rec}
	var renewing sync.WaitGroup
	renewing.Go(func() { held.renew(work, cancel) })
	inv, err := s.read(work, src)
	if err == nil || errors.Is(err, layer.ErrNotLayer) {
		// A claim lost at the last moment loses nothing: what was read is
		// verified, and the other reader will store the same.
		if keepErr := s.keep(work, held, inv, err); !errors.Is(keepErr, state.ErrConflict) {
			err = errors.Join(err, keepErr)
		}
	}
	cancel(nil)
	renewing.Wait()
	if err != nil && !errors.Is(err, layer.ErrNotLayer) {
		held.release(context.WithoutCancel(ctx))
	}
	return inv, err
}

func (s *Shelf) read(ctx context.Context, src Source) (inventory.Layer, error) {
	land, err := s.takeOff(ctx, src.Sweep)
	if err != nil {
		return inventory.Layer{}, err
	}
	defer land()
	body, _, err := src.Registry.Blob(ctx, src.Repository, string(src.Digest))
	if err != nil {
		return inventory.Layer{}, err
	}
	inv, err := s.Reader.Read(ctx, string(src.Digest), &counter{Reader: body, tell: src.Progress})
	if closeErr := body.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close layer %s: %w", src.Digest, closeErr)
	}
	return inv, err
}

// takeOff waits until one more layer may be read.
func (s *Shelf) takeOff(ctx context.Context, sweep bool) (land func(), err error) {
	express := s.Express
	if sweep || s.sweeping.Load() == 0 {
		express = nil // pushes share what there is
	}
	select {
	case s.Flight <- struct{}{}:
		if sweep {
			s.sweeping.Add(1)
		}
		return func() {
			<-s.Flight
			if sweep {
				s.sweeping.Add(-1)
			}
		}, nil
	case express <- struct{}{}:
		return func() { <-express }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// keep stores the inventory, then the record that names it.
func (s *Shelf) keep(ctx context.Context, held *claim, inv inventory.Layer, readErr error) error {
	done := state.Layer{State: state.LayerNotImage, ReadAt: s.Now(), Size: inv.Size}
	if readErr == nil {
		raw, err := inv.Encode()
		if err != nil {
			return err
		}
		if done.Object, err = s.State.Inventories.Put(ctx, failpoint.LayerObject, raw); err != nil {
			return err
		}
		done.State = state.LayerDone
	}
	return held.finish(ctx, done)
}

// counter tells how much was read.
type counter struct {
	io.Reader

	tell func(int64)
	n    int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if c.tell != nil {
		c.tell(c.n)
	}
	return n, err
}
