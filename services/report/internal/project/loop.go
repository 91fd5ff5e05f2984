package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Keeper keeps the view whole: it rebuilds it when it has been wiped or left
// alone for too long, looks again at images before they would expire, and
// removes what has expired.
type Keeper struct {
	projector *Projector
	opts      KeeperOptions
	rebuild   chan chan error
	built     atomic.Bool
	log       *zap.Logger
}

// KeeperOptions says how a keeper works.
type KeeperOptions struct {
	Every   time.Duration // between two rounds
	Workers int           // images projected at a time in a rebuild
	// ResultsAge is how long the change feed keeps its events: after half of
	// that without us the view may have missed some.
	ResultsAge time.Duration
}

// NewKeeper returns the keeper of p's view.
func NewKeeper(p *Projector, o KeeperOptions, log *zap.Logger) *Keeper {
	return &Keeper{projector: p, opts: o, rebuild: make(chan chan error), log: log.Named("keeper")}
}

// Built reports whether the view was whole when it was last looked at.
func (k *Keeper) Built() bool { return k.built.Load() }

// Whole reports whether the view is whole now; it asks the store, which may
// have been wiped a moment ago.
func (k *Keeper) Whole(ctx context.Context) (bool, error) {
	if !k.Built() {
		return false, nil
	}
	return k.projector.view.Whole(ctx)
}

// Through reads, and reports whether the view was whole before and after: what
// is read while it is being built is not all there is, though it may be whole a
// moment later.
func (k *Keeper) Through(ctx context.Context, read func(context.Context) error) (whole bool, err error) {
	before, err := k.Whole(ctx)
	if err != nil {
		return false, err
	}
	if err := read(ctx); err != nil {
		return false, err
	}
	after, err := k.Whole(ctx)
	return before && after, err
}

// Rebuild projects everything from the state, and returns when that is done.
func (k *Keeper) Rebuild(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case k.rebuild <- done:
	case <-ctx.Done():
		return fmt.Errorf("rebuild view: %w", ctx.Err())
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("rebuild view: %w", ctx.Err())
	}
}

// Run works until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case done := <-k.rebuild:
			done <- k.build(ctx)
		case <-timer.C:
			if err := k.round(ctx); err != nil && ctx.Err() == nil {
				k.log.Warn("view not kept, trying again", zap.Error(err))
			}
			// Replicas share the work best when they do not meet.
			timer.Reset(k.opts.Every*3/4 + rand.N(k.opts.Every/4+1)) //nolint:gosec // not a secret
		}
	}
}

// hold is how long the view is taken for complete without us.
func (k *Keeper) hold() time.Duration {
	const most = time.Hour
	hold := most
	if k.opts.ResultsAge > 0 {
		hold = min(most, k.opts.ResultsAge/2)
	}
	return max(hold, 4*k.opts.Every)
}

func (k *Keeper) round(ctx context.Context) error {
	complete, err := k.projector.view.Complete(ctx, k.hold())
	if err != nil {
		k.built.Store(false) // who knows what it holds when it comes back
		return err
	}
	if !complete {
		return k.build(ctx)
	}
	k.built.Store(true)
	return errors.Join(k.look(ctx), k.projector.view.Sweep(ctx))
}

// look projects the images that are due.
func (k *Keeper) look(ctx context.Context) error {
	const batch = 1000
	due, err := k.projector.view.Due(ctx, batch)
	if err != nil {
		return err
	}
	return k.each(ctx, due, false)
}

// build projects every image of the state and every one still in the view.
func (k *Keeper) build(ctx context.Context) error {
	started := time.Now()
	k.built.Store(false)
	digests, err := k.known(ctx)
	if err != nil {
		return err
	}
	if err := k.each(ctx, digests, true); err != nil {
		return fmt.Errorf("rebuild view: %w", err)
	}
	if err := k.projector.view.MarkComplete(ctx, k.hold()); err != nil {
		return err
	}
	k.built.Store(true)
	k.log.Info("view rebuilt", zap.Int("images", len(digests)), zap.Duration("took", time.Since(started)))
	return nil
}

// known lists the images that places name and those the view holds.
func (k *Keeper) known(ctx context.Context) ([]events.Digest, error) {
	seen := map[events.Digest]bool{}
	err := k.projector.state.Places.All(ctx, ">", func(r state.Record[state.Place]) error {
		seen[r.Value.Digest] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	held, err := k.projector.view.Digests(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range held {
		seen[d] = true
	}
	list := make([]events.Digest, 0, len(seen))
	for d := range seen {
		list = append(list, d)
	}
	return list, nil
}

// each projects images, several at a time. One that fails is due again at once
// and does not keep the others from their turn; a store that cannot note that
// ends it, since it would take no other image either.
func (k *Keeper) each(ctx context.Context, digests []events.Digest, force bool) error {
	projecting, working := errgroup.WithContext(ctx)
	projecting.SetLimit(max(k.opts.Workers, 1))
	for _, d := range digests {
		if working.Err() != nil {
			break
		}
		projecting.Go(func() error { return k.one(working, d, force) })
	}
	return cmp.Or(projecting.Wait(), ctx.Err())
}

// one projects an image. Its error is one of the store; what is wrong with a
// single image is logged and tried again.
func (k *Keeper) one(ctx context.Context, d events.Digest, force bool) error {
	err := k.projector.Image(ctx, d, force)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	k.log.Warn("image not projected", zap.String("image", string(d)), zap.Error(err))
	return k.projector.view.Recall(ctx, d)
}
