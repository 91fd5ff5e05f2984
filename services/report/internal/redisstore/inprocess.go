package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// inProcessLimit is what the in-process store is good for: each command walks
// all keys that expire, which takes about a millisecond at 5,000 of them.
const inProcessLimit = "good for about 1,000 images; install redis-server or give --redis for more"

// expireEvery is how often keys that have expired are dropped when no command
// comes: the in-process store frees them only at a command.
const expireEvery = time.Second

// openInProcess runs a store inside this process on a random loopback port,
// with a password nobody else knows.
func openInProcess(ctx context.Context) (*Store, error) {
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	password := rand.Text()
	m.RequireAuth(password)
	if err := m.Start(); err != nil {
		return nil, fmt.Errorf("start in-process store: %w", err)
	}
	c := newClient(&redis.Options{Addr: m.Addr(), Password: password})
	if err := awaitAnswer(ctx, c, zap.NewNop()); err != nil {
		m.Close()
		return nil, errors.Join(fmt.Errorf("reach in-process store: %w", err), c.Close())
	}
	ticking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	done.Go(func() { expire(ticking, c) })
	return &Store{
		Client:      c,
		Description: "in this process, rebuilt at each start, " + inProcessLimit,
		close: func() error {
			cancel()
			done.Wait()
			err := c.Close()
			m.Close()
			return err
		},
	}, nil
}

// expire sends a command now and then, so that expired keys go by themselves.
func expire(ctx context.Context, c *redis.Client) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.Exists(ctx, "expire")
		}
	}
}
