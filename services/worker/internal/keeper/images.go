package keeper

import (
	"context"
	"errors"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// imageRounds is how many rounds pass between two looks at all images, which
// are many; a new database is a reason to look at once.
const imageRounds = 12

// lateRounds is how many pass while verdicts are behind.
const lateRounds = 3

// Records that may only have to be noted anew are held until then, as many as
// fit: some thousands.
const (
	heldMost  = 32 << 20 // bytes
	imageSize = 2 << 10  // of a record without its keys, about
)

// images holds the invariant that every verdict is current or asked for again,
// and forgets images that lie nowhere any more.
func (k *Keeper) images(ctx context.Context) error {
	current, err := k.State.Databases.Get(ctx, state.CurrentDatabase)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	version := current.Value.Version
	rounds := imageRounds
	if k.late {
		rounds = lateRounds
	}
	if version == k.version && k.Now().Sub(k.imagesAt) < time.Duration(rounds)*k.Tick {
		return nil
	}
	if version != k.version && !k.open(current.Value) {
		return nil
	}
	k.version, k.imagesAt = version, k.Now()
	changed := k.changes(ctx, current.Value)
	images, err := k.allImages(ctx, current.Value, changed)
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
	var late []stale
	for d, s := range images {
		if placed[d] && s != nil {
			late = append(late, *s)
		}
	}
	k.late = len(late) > 0
	return k.renew(ctx, current.Value, late)
}

// allImages lists the images, with what is to be done about their verdicts; nil:
// nothing.
func (k *Keeper) allImages(ctx context.Context, current state.Database, changed differences) (map[events.Digest]*stale, error) {
	images, room := map[events.Digest]*stale{}, heldMost
	err := k.State.Images.All(ctx, ">", func(r state.Record[state.Image]) error {
		s := behind(r.Value, current, changed)
		if s != nil && s.follows && room > 0 {
			s.record = &r
			room -= imageSize + len(r.Value.Keys)
		}
		images[r.Value.Digest] = s
		return nil
	})
	return images, err
}

// open tells whether this worker has the database open, so that it can be asked
// what it changes, or there was time enough for that.
func (k *Keeper) open(current state.Database) bool {
	return current.Version == k.Databases.Version() || k.Now().Sub(current.StoredAt) > openTime
}

// behind tells whether an image's verdict is of another database, or is one
// that nobody was told of; nil: neither.
func behind(img state.Image, current state.Database, changed differences) *stale {
	told := img.Announced == img.Report
	if current.Version == "" || img.Inventory == "" || (img.Database == current.Version && told) {
		return nil
	}
	return &stale{digest: img.Digest, database: img.Database, follows: follows(img, current, changed)}
}

// follows tells whether an image's verdict was told and is of the database that
// the current one replaced, and what that changed is known.
func follows(img state.Image, current state.Database, changed differences) bool {
	return img.Announced == img.Report && img.Database == current.Before && changed.known
}

// forgetOrphans removes the images that have lain nowhere for a while: a sweep
// describes images long before it decides to keep them.
func (k *Keeper) forgetOrphans(ctx context.Context, images map[events.Digest]*stale, placed map[events.Digest]bool) error {
	orphans := map[string]time.Time{}
	for d := range images {
		if placed[d] {
			continue
		}
		since, known := k.orphans[d.Token()]
		if !known {
			since = k.Now()
		}
		if k.Now().Sub(since) < k.CollectEvery {
			orphans[d.Token()] = since
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
