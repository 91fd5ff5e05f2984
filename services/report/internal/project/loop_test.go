package project

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// A rebuild gives up with the store, rather than asking it for every image.
func TestRebuildEndsWithItsStore(t *testing.T) {
	server := redistest.Start(t)
	p := New(&state.Store{}, view.New(server.Client(), view.DefaultPrefix, nil), zaptest.NewLogger(t))
	const workers, images = 4, 100
	k := NewKeeper(p, KeeperOptions{Every: time.Second, Workers: workers}, zaptest.NewLogger(t))
	digests := make([]events.Digest, images)
	for n := range digests {
		digests[n] = state.DigestOf([]byte(fmt.Sprint("image ", n)))
	}
	server.Stop()
	if err := k.each(t.Context(), digests, true); err == nil {
		t.Error("no error of a store that is away")
	}
	if _, failed := p.Counts(); failed > 2*workers {
		t.Errorf("%d of %d images were tried at a store that is away, by %d workers", failed, images, workers)
	}
}
