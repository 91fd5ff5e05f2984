package view

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/events"
)

const (
	// updateTries is how often an image is read again because others wrote it
	// in between. Each of them wrote what is now the truth or will be refused
	// itself, so that more than a few in a row means something is wrong.
	updateTries = 20
	// membersLonger is how long the list of index entries outlives the image:
	// long enough to take the entries out by it.
	membersLonger = 5 * time.Minute
	// pipelineTimeout bounds one transaction.
	pipelineTimeout = 10 * time.Second
)

// Update brings the view of one image in line with the state. read makes the
// picture from the state as it is when it is called, and may be called again;
// had names the report the view holds already. force writes index entries that
// should be there already once more.
func (v *View) Update(ctx context.Context, d events.Digest, force bool, read func(had events.Digest) (Picture, error)) error {
	for tries := range updateTries {
		err := v.update(ctx, d, force, read)
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
		// Who waits for a moment of his own does not meet the same others again.
		select {
		case <-ctx.Done():
			return fmt.Errorf("update view of %s: %w", d, ctx.Err())
		case <-time.After(rand.N(time.Duration(tries+1) * time.Millisecond)): //nolint:gosec // no secret
		}
	}
	return fmt.Errorf("update view of %s: others kept writing it", d)
}

func (v *View) update(ctx context.Context, d events.Digest, force bool, read func(events.Digest) (Picture, error)) error {
	return v.redis.Watch(ctx, func(tx *redis.Tx) error {
		before, err := v.readMembers(ctx, tx, d)
		switch {
		case errors.Is(err, errUnreadable):
			force = true // written anew
		case err != nil:
			return err // without them the entries that no longer hold would stay
		}
		had := before.Report
		if force || had != "" && tx.Exists(ctx, v.keys.report(d)).Val() == 0 {
			had = ""
		}
		p, err := read(had)
		if err != nil {
			return err
		}
		p.Entries = slices.DeleteFunc(p.Entries, func(e Entry) bool {
			return !e.Until.IsZero() && !e.Until.After(v.now())
		})
		ctx, cancel := context.WithTimeout(ctx, pipelineTimeout)
		defer cancel()
		return v.write(func() error {
			pipe := tx.TxPipeline()
			if err := v.compose(ctx, pipe, change{digest: d, picture: p, before: before, force: force}); err != nil {
				return err
			}
			if _, err := pipe.Exec(ctx); err != nil {
				return fmt.Errorf("write view of %s: %w", d, err)
			}
			return nil
		})
	}, v.keys.image(d))
}

// change is one image's step from what the view holds to what it is to hold.
type change struct {
	digest  events.Digest
	picture Picture
	before  members
	force   bool
}

// compose queues the transaction.
func (v *View) compose(ctx context.Context, pipe redis.Pipeliner, c change) error {
	now := v.now()
	after := membersOf(c.picture, c.before, now)
	v.composeIndexes(ctx, pipe, c, after)
	for id := range c.before.Places {
		if _, stays := after.Places[id]; !stays {
			pipe.Del(ctx, v.keys.place(id))
			pipe.ZRem(ctx, v.keys.order(), id)
		}
	}
	if len(c.picture.Entries) == 0 {
		// Written before it is removed, so that whoever watches an image that
		// was not there is refused all the same.
		pipe.Set(ctx, v.keys.image(c.digest), "", time.Minute)
		pipe.Del(ctx, v.keys.image(c.digest), v.keys.members(c.digest), v.keys.report(c.digest))
		pipe.ZRem(ctx, v.keys.images(), c.digest.Token())
		return nil
	}
	return errors.Join(v.composePlaces(ctx, pipe, c, after), v.composeImage(ctx, pipe, c, after))
}

// composeIndexes queues what differs between the entries before and after.
func (v *View) composeIndexes(ctx context.Context, pipe redis.Pipeliner, c change, after members) {
	before, entries := c.before.entries(), after.entries()
	for index, ids := range before {
		var gone []any
		for id := range ids {
			if _, stays := entries[index][id]; !stays {
				gone = append(gone, id)
			}
		}
		if len(gone) > 0 {
			pipe.ZRem(ctx, v.keys.index(index), gone...)
			// It may be empty now: the next sweep looks.
			pipe.ZAddLT(ctx, v.keys.indexes(), redis.Z{Score: float64(v.now().UnixMilli()), Member: index})
		}
	}
	for index, ids := range entries {
		var fresh []redis.Z
		first := int64(0)
		for id, expires := range ids {
			if c.force || before[index][id] != expires {
				fresh = append(fresh, redis.Z{Score: float64(expires), Member: id})
				if first == 0 || expires < first {
					first = expires
				}
			}
		}
		if len(fresh) > 0 {
			pipe.ZAdd(ctx, v.keys.index(index), fresh...)
			pipe.ZAddLT(ctx, v.keys.indexes(), redis.Z{Score: float64(first), Member: index})
		}
	}
}

func (v *View) composePlaces(ctx context.Context, pipe redis.Pipeliner, c change, after members) error {
	for _, e := range c.picture.Entries {
		raw, err := json.Marshal(e.Place)
		if err != nil {
			return fmt.Errorf("encode place %s/%s: %w", e.Place.Registry, e.Place.Repository, err)
		}
		id := e.Place.ID
		pipe.Set(ctx, v.keys.place(id), raw, v.left(after.Places[id].Expires))
		if !e.Place.Index {
			pipe.ZAdd(ctx, v.keys.order(), redis.Z{Member: id})
		}
	}
	return nil
}

// left is the time to a moment in milliseconds, at least one of them.
func (v *View) left(moment int64) time.Duration {
	return max(time.UnixMilli(moment).Sub(v.now()).Truncate(time.Millisecond), time.Millisecond)
}

func (v *View) composeImage(ctx context.Context, pipe redis.Pipeliner, c change, after members) error {
	last := int64(0)
	doc := c.picture.Image
	doc.Places = nil
	for id, m := range after.Places {
		last = max(last, m.Expires)
		doc.Places = append(doc.Places, id)
	}
	slices.Sort(doc.Places)
	raw, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode image %s: %w", c.digest, err)
	}
	packed, err := packJSON(after)
	if err != nil {
		return err
	}
	left := v.left(last)
	pipe.Set(ctx, v.keys.image(c.digest), raw, left)
	pipe.Set(ctx, v.keys.members(c.digest), packed, left+membersLonger)
	pipe.ZAdd(ctx, v.keys.images(), redis.Z{Score: float64(v.lookAgain(c.picture.Entries, after)), Member: c.digest.Token()})
	switch {
	case c.picture.Image.Report == "":
		pipe.Del(ctx, v.keys.report(c.digest))
	case c.picture.Report != nil:
		if packed, err = pack(c.picture.Report); err != nil {
			return err
		}
		pipe.Set(ctx, v.keys.report(c.digest), packed, left)
	default:
		pipe.PExpire(ctx, v.keys.report(c.digest), left)
	}
	return nil
}

func packJSON(value any) ([]byte, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode index entries: %w", err)
	}
	return pack(raw)
}

// lookAgain is when the state of an image is to be read again: before half of
// a present place's safety time is over, and when a missing one expires.
func (v *View) lookAgain(entries []Entry, after members) int64 {
	at := int64(0)
	for _, e := range entries {
		due := after.Places[e.Place.ID].Expires
		if e.Until.IsZero() {
			due -= (e.Safety * 55 / 100).Milliseconds()
		}
		if at == 0 || due < at {
			at = due
		}
	}
	return at
}
