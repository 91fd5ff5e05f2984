// Package redisstore opens the store that the report service keeps its view
// in: a Redis somebody runs, a redis-server of our own, or one in process.
// None of them needs to be durable, since the view is rebuilt from the state.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"
)

// Options says which store to open.
type Options struct {
	URL     string // redis://, rediss:// or unix://; empty: an embedded store
	DataDir string // private directory for an embedded store's socket
	// InProcess skips the search for a redis-server.
	InProcess bool
	Log       *zap.Logger
}

// Store is an open store.
type Store struct {
	Client      *redis.Client
	Description string // which store it is, in words
	close       func() error
}

// Close ends the client and an embedded store.
func (s *Store) Close() error { return s.close() }

// Open opens the store that o asks for and waits until it answers, or until
// ctx ends.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.URL != "" {
		return openURL(ctx, o)
	}
	if path, err := exec.LookPath("redis-server"); err == nil && !o.InProcess {
		s, err := openChild(ctx, path, o)
		if err == nil {
			o.Log.Info("report store opened", zap.String("store", s.Description))
			return s, nil
		}
		o.Log.Warn("redis-server not usable, keeping the view in this process", zap.Error(err))
	}
	s, err := openInProcess(ctx)
	if err != nil {
		return nil, err
	}
	o.Log.Info("report store opened", zap.String("store", s.Description))
	return s, nil
}

func openURL(ctx context.Context, o Options) (*Store, error) {
	opts, err := redis.ParseURL(o.URL)
	if err != nil {
		// The library's own words quote the address, and the password in it.
		return nil, errors.New("the address of Redis (LANDWAITER_REDIS, --redis) is not redis://host:port/db, rediss://host:port/db or unix:///path; " +
			"in a password write / as %2F, : as %3A, @ as %40")
	}
	c := newClient(opts)
	if err := awaitAnswer(ctx, c, o.Log); err != nil {
		return nil, fmt.Errorf("reach Redis at %s: %w", opts.Addr, err)
	}
	s := &Store{Client: c, Description: "Redis at " + opts.Addr, close: c.Close}
	o.Log.Info("report store opened", zap.String("store", s.Description))
	return s, nil
}

// newClient switches off what Redis 7.0 does not know and would answer with
// an error on every new connection.
func newClient(opts *redis.Options) *redis.Client {
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(opts)
}

// awaitAnswer returns once the store answers. A Redis that loads its data, or
// is not up yet, is waited for until ctx ends.
func awaitAnswer(ctx context.Context, c *redis.Client, log *zap.Logger) error {
	const pause = 50 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for n := 0; ; n++ {
		err := c.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		if n == int(time.Second/pause) {
			log.Warn("report store not ready, waiting for it", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
