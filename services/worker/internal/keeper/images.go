package keeper

import (
	"context"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/rematch"
)

// imageRounds is how many rounds pass between two looks at all images, which
// are many; a new database is a reason to look at once.
const imageRounds = 12

// found is what a look at an image's record is about.
type found struct {
	key   string
	stale bool // its verdict is not of the current database
}

// images holds the invariant that every verdict is current or asked for again,
// and forgets images that lie nowhere any more.
func (k *Keeper) images(ctx context.Context) error {
	version, err := k.Databases.Current(ctx)
	if err != nil {
		return err
	}
	if version == k.version && k.Now().Sub(k.imagesAt) < imageRounds*k.Tick {
		return nil
	}
	k.version, k.imagesAt = version, k.Now()
	images := map[events.Digest]found{}
	err = k.State.Images.All(ctx, ">", func(r state.Record[state.Image]) error {
		stale := version != "" && r.Value.Inventory != "" && r.Value.Database != version
		images[r.Value.Digest] = found{key: r.Key, stale: stale}
		return nil
	})
	if err != nil {
		return err
	}
	placed := map[events.Digest]bool{}
	err = k.State.Places.All(ctx, ">", func(r state.Record[state.Place]) error {
		placed[r.Value.Digest] = true
		return nil
	})
	if err != nil {
		return err
	}
	if err := k.forgetOrphans(ctx, images, placed); err != nil {
		return err
	}
	for d, f := range images {
		if placed[d] && f.stale {
			if err := k.ask(ctx, d, version); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask asks for a verdict to be made again, and again after a while in case the
// wish was lost: not each round, for there may be very many.
func (k *Keeper) ask(ctx context.Context, d events.Digest, version string) error {
	const patience = time.Minute
	if k.asked.version != version {
		k.asked.version, k.asked.at = version, map[events.Digest]time.Time{}
	}
	if k.Now().Sub(k.asked.at[d]) < patience {
		return nil
	}
	k.asked.at[d] = k.Now()
	return rematch.Ask(ctx, k.Bus, d, version)
}

// asked remembers when which verdicts were asked for, of one database.
type asked struct {
	version string
	at      map[events.Digest]time.Time
}

// forgetOrphans removes the images that have lain nowhere for a while: a sweep
// describes images long before it decides to keep them.
func (k *Keeper) forgetOrphans(ctx context.Context, images map[events.Digest]found, placed map[events.Digest]bool) error {
	orphans := map[string]time.Time{}
	for d, f := range images {
		if placed[d] {
			continue
		}
		since, known := k.orphans[f.key]
		if !known {
			since = k.Now()
		}
		if k.Now().Sub(since) < k.CollectEvery {
			orphans[f.key] = since
			continue
		}
		if err := settled(k.forget(ctx, d)); err != nil {
			return err
		}
	}
	k.orphans = orphans
	return nil
}

// forget removes an image's record and its job's, unless it has just been
// given a place.
func (k *Keeper) forget(ctx context.Context, d events.Digest) error {
	rec, err := k.State.Images.Get(ctx, d.Token())
	if err != nil {
		return err
	}
	homeless := true
	err = k.State.Places.All(ctx, state.PlacesOfImage(d), func(state.Record[state.Place]) error {
		homeless = false
		return nil
	})
	if err != nil || !homeless {
		return err
	}
	if err := k.State.Images.Delete(ctx, failpoint.KeeperImage, rec); err != nil {
		return err
	}
	job, err := k.State.Jobs.Get(ctx, rec.Key)
	if err != nil || !job.Value.State.Terminal() || !job.Value.Announced {
		return err
	}
	return k.State.Jobs.Delete(ctx, failpoint.KeeperJob, job)
}
