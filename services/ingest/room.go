package ingest

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

// room bounds the memory that bodies take while they are in hand. What is
// known to come from a registry has one of its own, which nobody can fill who
// has yet to prove who he is.
type room struct {
	known, unknown *semaphore.Weighted
	bytes          int64 // of each
}

// least is what a delivery takes at least, in bytes: its events, its answer
// and the connection's buffers.
const least = 64 << 10

func newRoom(bytes int64) room {
	return room{known: semaphore.NewWeighted(bytes), unknown: semaphore.NewWeighted(bytes), bytes: bytes}
}

// take waits a moment for room for a body of at most limit bytes.
func (r room) take(req *http.Request, known bool, limit int64) (release func(), ok bool) {
	const patience = time.Second
	in := r.unknown
	if known {
		in = r.known
	}
	n := limit
	if req.ContentLength >= 0 {
		n = min(req.ContentLength, limit)
	}
	n = min(max(n, least), r.bytes)
	release = func() { in.Release(n) }
	if in.TryAcquire(n) {
		return release, true
	}
	ctx, cancel := context.WithTimeout(req.Context(), patience)
	defer cancel()
	if in.Acquire(ctx, n) != nil {
		return nil, false
	}
	return release, true
}
