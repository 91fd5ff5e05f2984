package view

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

// CoverageWindow is how long an image counts as new after it was first seen.
const CoverageWindow = 30 * 24 * time.Hour

// Coverage tells how a registry's new images became known: those that webhooks
// announced, and those that they did not and a sweep found. What expired does
// not count any more.
type Coverage struct {
	Announced, Found int64
	Since            time.Time // images first seen earlier do not count
}

// Share is the announced part of all, from 0 to 1; there is none where nothing
// new was seen.
func (c Coverage) Share() (share float64, known bool) {
	if c.Announced+c.Found == 0 {
		return 0, false
	}
	return float64(c.Announced) / float64(c.Announced+c.Found), true
}

// newsIndex is where a place is counted while it is new; blank: nowhere. An
// image index stands for its platforms, which are counted themselves.
func newsIndex(p Place) string {
	switch {
	case p.Index:
		return ""
	case p.Origin == state.OriginPush:
		return indexName(indexAnnounced, p.Registry)
	case p.Origin == state.OriginSweep:
		return indexName(indexFound, p.Registry)
	default:
		return ""
	}
}

// Registry counts the images of one registry and how they became known.
func (v *View) Registry(ctx context.Context, name string) (images int64, c Coverage, err error) {
	live := v.live()
	var all, announced, found *redis.IntCmd
	_, err = v.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		count := func(kind string) *redis.IntCmd {
			return pipe.ZCount(ctx, v.keys.index(indexName(kind, name)), live.Min, live.Max)
		}
		all, announced, found = count(indexRegistry), count(indexAnnounced), count(indexFound)
		return nil
	})
	if err != nil {
		return 0, Coverage{}, fmt.Errorf("count images of registry %s: %w", name, err)
	}
	return all.Val(), Coverage{Announced: announced.Val(), Found: found.Val(), Since: v.now().Add(-CoverageWindow)}, nil
}
