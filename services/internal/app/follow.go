package app

import (
	"context"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Follow keeps set told of all records of a table, by key: first when all there
// are have been read, then after every change. The map is set's to keep. It
// returns when ctx ends, and outlives a broker that ends the watch.
func Follow[T any](ctx context.Context, table *state.Table[T], log *zap.Logger, set func(map[string]T)) error {
	const pause = time.Second // after a watch that ended
	told := false             // once for each time the broker is away
	for {
		err := follow(ctx, table, func(all map[string]T) { told = false; set(all) })
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is how following ends
		}
		if !told {
			log.Warn("watch ended, beginning again until it works", zap.Error(err))
			told = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func follow[T any](ctx context.Context, table *state.Table[T], set func(map[string]T)) error {
	all := map[string]T{}
	synced := false
	return table.Watch(ctx, ">", func(u state.Update[T]) {
		switch {
		case u.Synced:
			synced = true
		case u.Removed:
			delete(all, u.Key)
		default:
			all[u.Key] = u.Value
		}
		if synced {
			set(maps.Clone(all))
		}
	})
}
