package view

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/events"
)

const (
	// sweepBatch bounds what one step of a sweep takes on.
	sweepBatch = 500
	// sweepSteps bounds a sweep; the next one goes on.
	sweepSteps = 200
)

// Sweep removes index entries that have expired. Places go with all their
// entries when their image is looked at again, see Due; this is for what is
// left where that was not possible, such as after a long absence.
func (v *View) Sweep(ctx context.Context) error {
	now := strconv.FormatInt(v.now().UnixMilli(), 10)
	for range sweepSteps {
		due, err := v.redis.ZRangeArgs(ctx, byScore(v.keys.indexes(), "-inf", now, sweepBatch)).Result()
		if err != nil {
			return fmt.Errorf("list indexes: %w", err)
		}
		var errs []error
		for _, index := range due {
			if err := v.sweepIndex(ctx, index, now); err != nil {
				errs = append(errs, err)
			}
		}
		// What could not be noted as swept is due again in the next sweep.
		if err := errors.Join(errs...); err != nil || len(due) < sweepBatch {
			return err
		}
	}
	return nil
}

func (v *View) sweepIndex(ctx context.Context, index, now string) error {
	key := v.keys.index(index)
	if index == indexAll {
		if err := v.sweepOrder(ctx, now); err != nil {
			return err
		}
	}
	if err := v.redis.ZRemRangeByScore(ctx, key, "-inf", now).Err(); err != nil {
		return fmt.Errorf("sweep index %s: %w", index, err)
	}
	err := v.redis.Watch(ctx, func(tx *redis.Tx) error {
		first, err := tx.ZRangeWithScores(ctx, key, 0, 0).Result()
		if err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			if len(first) == 0 {
				pipe.ZRem(ctx, v.keys.indexes(), index)
			} else {
				pipe.ZAdd(ctx, v.keys.indexes(), redis.Z{Score: first[0].Score, Member: index})
			}
			return nil
		})
		return err
	}, key)
	if err != nil && !errors.Is(err, redis.TxFailedErr) {
		return fmt.Errorf("note sweep of index %s: %w", index, err)
	}
	return nil
}

// sweepOrder takes expired places out of the list's order, unless they were
// written again in between.
func (v *View) sweepOrder(ctx context.Context, now string) error {
	key := v.keys.index(indexAll)
	for {
		var gone []string
		err := v.redis.Watch(ctx, func(tx *redis.Tx) error {
			var err error
			gone, err = tx.ZRangeArgs(ctx, byScore(key, "-inf", now, sweepBatch)).Result()
			if err != nil || len(gone) == 0 {
				return err
			}
			members := make([]any, len(gone))
			for i, id := range gone {
				members[i] = id
			}
			_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
				pipe.ZRem(ctx, v.keys.order(), members...)
				pipe.ZRem(ctx, key, members...)
				return nil
			})
			return err
		}, key)
		if err != nil {
			return fmt.Errorf("sweep list: %w", err)
		}
		if len(gone) < sweepBatch {
			return nil
		}
	}
}

// Recall makes an image due now.
func (v *View) Recall(ctx context.Context, d events.Digest) error {
	err := v.redis.ZAdd(ctx, v.keys.images(), redis.Z{Score: float64(v.now().UnixMilli()), Member: d.Token()}).Err()
	if err != nil {
		return fmt.Errorf("note %s as due: %w", d, err)
	}
	return nil
}

// Due lists images whose state is to be read again, at most limit.
func (v *View) Due(ctx context.Context, limit int64) ([]events.Digest, error) {
	return v.digests(ctx, strconv.FormatInt(v.now().UnixMilli(), 10), limit)
}

// Digests lists every image in the view.
func (v *View) Digests(ctx context.Context) ([]events.Digest, error) {
	return v.digests(ctx, "+inf", 0)
}

func (v *View) digests(ctx context.Context, until string, limit int64) ([]events.Digest, error) {
	tokens, err := v.redis.ZRangeArgs(ctx, byScore(v.keys.images(), "-inf", until, limit)).Result()
	if err != nil {
		return nil, fmt.Errorf("list images in the view: %w", err)
	}
	list := make([]events.Digest, 0, len(tokens))
	for _, t := range tokens {
		if d, err := events.DigestFromToken(t); err == nil {
			list = append(list, d)
		}
	}
	return list, nil
}
