package bus

import (
	"context"
	"sync"
)

// Pool is a number of slots that consumptions share. A share of it, see Share,
// may use only some of them, so that slow work leaves room for fast work.
type Pool struct {
	mu    sync.Mutex
	free  int
	freed chan struct{} // closed, and made anew, when a slot becomes free
}

// NewPool returns a pool of n slots, at least one.
func NewPool(n int) *Pool {
	return &Pool{free: max(n, 1), freed: make(chan struct{})}
}

// Share is a view of the pool that uses at most n of its slots, at least one.
func (p *Pool) Share(n int) Slots {
	return &share{pool: p, free: max(n, 1)}
}

// share counts its own slots beside the pool's; the pool's lock guards both.
type share struct {
	pool *Pool
	free int
}

// Wait returns when both the share and the pool have room. Somebody else may
// take the room before TryAcquire.
func (s *share) Wait(ctx context.Context) error {
	for {
		room, freed := s.look()
		if err := ctx.Err(); err != nil || room {
			return err
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *share) look() (room bool, freed <-chan struct{}) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.room(), s.pool.freed
}

func (s *share) room() bool { return s.free > 0 && s.pool.free > 0 }

// TryAcquire takes a slot of the share and one of the pool, or neither.
// Releasing more than once is releasing once.
func (s *share) TryAcquire() (release func(), ok bool) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if !s.room() {
		return nil, false
	}
	s.free--
	s.pool.free--
	return sync.OnceFunc(s.release), true
}

func (s *share) release() {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.free++
	s.pool.free++
	close(s.pool.freed)
	s.pool.freed = make(chan struct{})
}
