package project

import (
	"context"
	"sync"

	"github.com/landwaiter/landwaiter/events"
)

// Catchup lets followers of the results see each one only when the view shows
// it: whoever is told of a report and asks for it must not get the one before.
type Catchup struct {
	projector *Projector
	mu        sync.Mutex
	seen      map[events.Digest]uint64
	busy      map[events.Digest]chan struct{}
}

// mostSeen bounds what is remembered; to forget costs a projection.
const mostSeen = 4096

// NewCatchup returns a catch-up that projects with p.
func NewCatchup(p *Projector) *Catchup {
	return &Catchup{projector: p, seen: map[events.Digest]uint64{}, busy: map[events.Digest]chan struct{}{}}
}

// Await returns once the view shows what the result with this sequence says of
// the image. Followers that are told of one result project it once.
func (c *Catchup) Await(ctx context.Context, d events.Digest, sequence uint64) error {
	for {
		c.mu.Lock()
		if c.seen[d] >= sequence {
			c.mu.Unlock()
			return nil
		}
		others, busy := c.busy[d]
		if !busy {
			c.busy[d] = make(chan struct{})
			c.mu.Unlock()
			return c.project(ctx, d, sequence)
		}
		c.mu.Unlock()
		select {
		case <-others:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Catchup) project(ctx context.Context, d events.Digest, sequence uint64) error {
	err := c.projector.Image(ctx, d, false)
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.busy[d])
	delete(c.busy, d)
	if err != nil {
		return err
	}
	if len(c.seen) >= mostSeen {
		clear(c.seen)
	}
	c.seen[d] = max(c.seen[d], sequence)
	return nil
}
