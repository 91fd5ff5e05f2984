package keeper

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
)

// patience is how long a wish may wait before it may be uttered again.
const patience = time.Minute

// ask asks for a verdict to be made again, and again after a while in case the
// wish was lost: not while it may still be waiting for its turn, for there may
// be very many.
func (k *Keeper) ask(ctx context.Context, d events.Digest, version string, oldest time.Time) error {
	n, due := k.asked.due(d, version, k.Now(), oldest)
	if !due {
		return nil
	}
	if err := assess.Ask(ctx, k.Bus, d, version, strconv.Itoa(n)); err != nil {
		return err
	}
	k.Verdicts.asked.Inc()
	k.asked.uttered(d, wish{at: k.Now(), n: n})
	return nil
}

// oldestWish is when the wish was uttered that has waited longest; now, if none
// does.
func (k *Keeper) oldestWish(ctx context.Context) (time.Time, error) {
	name := k.Bus.Topology().Stream(events.Rematch)
	stream, err := k.Bus.JetStream().Stream(ctx, name)
	if err != nil {
		return time.Time{}, fmt.Errorf("look for waiting wishes in %s: %w", name, err)
	}
	if waiting := stream.CachedInfo().State; waiting.Msgs > 0 {
		return waiting.FirstTime, nil
	}
	return k.Now(), nil
}

// asked remembers when and how often which verdicts were asked for, of one
// database.
type asked struct {
	mu      sync.Mutex
	version string
	of      map[events.Digest]wish
}

// wish is when a verdict was last asked for, and how often.
type wish struct {
	at time.Time
	n  int
}

// due tells whether to ask now, and the number of that wish, from 1. What was
// asked for not before the oldest wish that waits may be waiting itself: it is
// asked for again only when no verdict should be behind any more.
func (a *asked) due(d events.Digest, version string, now, oldest time.Time) (n int, due bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.version != version {
		a.version, a.of = version, map[events.Digest]wish{}
	}
	w, before := a.of[d]
	waited := now.Sub(w.at)
	waits := !w.at.Before(oldest)
	return w.n + 1, !before || waited >= overdue || waited >= patience && !waits
}

func (a *asked) uttered(d events.Digest, w wish) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of[d] = w
}
