package redisstore

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// restartPause keeps a redis-server that ends at once from being started all
// the time.
const restartPause = time.Second

// keep starts the server again whenever it ends by itself, until stop. The
// client finds the new one at the same socket; it is empty, which whoever keeps
// the view notices as it does that a store was wiped.
func (p program) keep(ctx context.Context, running *child) (stop func() error) {
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- p.watch(watching, running) }()
	return func() error {
		cancel()
		return <-done
	}
}

// watch ends with ctx, and the server with it.
func (p program) watch(ctx context.Context, running *child) error {
	for {
		select {
		case <-ctx.Done():
			return running.stop()
		case <-running.ended:
		}
		p.log.Error("redis-server ended by itself, starting it again; the view is rebuilt from the state", zap.Error(running.err))
		if running = p.again(ctx); running == nil {
			return nil
		}
	}
}

// again starts the server, however often that takes; nil when ctx ended first.
func (p program) again(ctx context.Context) *child {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(restartPause):
		}
		c, err := p.start(ctx)
		if err == nil {
			return c
		}
		p.log.Error("redis-server cannot be started, trying again", zap.Error(err))
	}
}
