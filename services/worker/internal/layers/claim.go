package layers

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// errLost ends the reading of a layer whose claim another worker has taken.
var errLost = errors.New("another worker reads the layer now")

// claim is a layer record held under a lease. Its methods take turns: renewing
// and finishing change the same record.
type claim struct {
	shelf *Shelf
	key   string // of the record
	mu    sync.Mutex
	rec   state.Record[state.Layer]
	over  bool
}

// renew extends the lease at a third of its length until ctx ends, and ends
// the work when the claim is lost.
func (c *claim) renew(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(c.shelf.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := c.put(ctx, failpoint.LayerRenew, func(l *state.Layer) { l.Lease.Until = c.shelf.Now().Add(c.shelf.Lease) })
		if errors.Is(err, state.ErrConflict) {
			cancel(errLost)
			return
		}
		if err != nil && ctx.Err() == nil {
			c.shelf.Log.Warn("layer lease not renewed", zap.String("layer", c.key), zap.Error(err))
		}
	}
}

func (c *claim) put(ctx context.Context, p failpoint.Point, change func(*state.Layer)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil
	}
	next := c.rec
	change(&next.Value)
	next, err := c.shelf.State.Layers.Put(ctx, p, next)
	if err == nil {
		c.rec = next
	}
	return err
}

// finish records what was made and ends the claim.
func (c *claim) finish(ctx context.Context, done state.Layer) error {
	return c.put(ctx, failpoint.LayerRecord, func(l *state.Layer) {
		done.Digest = l.Digest
		*l = done
	})
}

// release gives the layer up so that whoever comes next need not wait for the
// lease to end. What was made of it before stays.
func (c *claim) release(ctx context.Context) {
	const patience = 3 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	var err error
	if before := c.rec; before.Value.Object == "" {
		err = c.shelf.State.Layers.Delete(ctx, failpoint.LayerRelease, before)
	} else {
		before.Value.State, before.Value.Lease = state.LayerDone, state.Lease{}
		_, err = c.shelf.State.Layers.Put(ctx, failpoint.LayerRelease, before)
	}
	if err != nil && !errors.Is(err, state.ErrConflict) {
		c.shelf.Log.Warn("layer not given up, its lease will end", zap.String("layer", c.rec.Key), zap.Error(err))
	}
}
