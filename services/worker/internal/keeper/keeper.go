// Package keeper does what time asks for: it wakes jobs whose wake-up was
// lost, looks for images nobody has looked for, lets go of what is over, and
// has verdicts made again that are not current. Every worker may run one; they
// do each other no harm.
package keeper

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
	"github.com/landwaiter/landwaiter/services/worker/internal/places"
)

// Keeper looks after records.
type Keeper struct {
	Bus       *bus.Bus
	State     *state.Store
	Checker   *places.Checker
	Databases *assess.Databases
	Renewal   *assess.Renewal
	Verdicts  *Verdicts
	// Worker names this process; blank: it has no database to tell of.
	Worker string
	// Announce tells how a job ended, if nobody has yet.
	Announce func(context.Context, state.Record[state.Job]) error
	// Tick is how often records are looked at.
	Tick time.Duration
	// WakeAfter is how long a queued job may lie still before it is woken
	// again.
	WakeAfter time.Duration
	// JobRetention is how long an ended job or sweep is remembered.
	JobRetention time.Duration
	// CheckEvery, where it is not 0, looks for images more often than their
	// rules ask.
	CheckEvery time.Duration
	// CollectEvery is how often objects that no record names are removed, and
	// how old they must be.
	CollectEvery time.Duration
	Now          func() time.Time
	Log          *zap.Logger

	jobsPace    pace
	placesPace  pace
	orphans     map[string]time.Time // images without a place, since when
	imagesAt    time.Time            // last look at all images
	late        bool                 // verdicts were behind at that look
	version     string               // database at that look
	collectedAt time.Time
	asked       asked
	changed     differences
	signed      state.Replica // last sign of life
}

// Run looks after the records until ctx ends. Places have a turn of their own:
// looking for them takes as long as registries let it.
func (k *Keeper) Run(ctx context.Context) error {
	var turns sync.WaitGroup
	turns.Go(func() { k.turn(ctx, []duty{{"places", k.places}}) })
	turns.Go(func() {
		k.turn(ctx, []duty{
			{"jobs", k.jobs},
			{"replica", k.replica},
			{"database", k.database},
			{"images", k.images},
			{"sweeps", k.sweeps},
			{"requests", k.requests},
			{"objects", k.objects},
		})
	})
	turns.Wait()
	k.Renewal.Close()
	return nil
}

type duty struct {
	name string
	do   func(context.Context) error
}

// turn does the duties one after the other, again and again.
func (k *Keeper) turn(ctx context.Context, duties []duty) {
	tick := time.NewTicker(k.Tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, d := range duties {
			if err := d.do(ctx); err != nil && ctx.Err() == nil {
				k.Log.Warn("keeper duty interrupted", zap.String("duty", d.name), zap.Error(err))
			}
		}
	}
}

// pace keeps reading all records of a kind from taking more than a tenth of the
// time, however many there are.
type pace struct {
	rest  time.Time
	begun time.Time     // the last time
	apart time.Duration // the last two times
}

// read does it, unless it was done too lately. What failed is done again at
// once: it may have been slow only because the broker was away.
func (p *pace) read(do func() error) error {
	begun := time.Now()
	if begun.Before(p.rest) {
		return nil
	}
	if !p.begun.IsZero() {
		p.apart = begun.Sub(p.begun)
	}
	p.begun = begun
	if err := do(); err != nil {
		return err
	}
	p.rest = time.Now().Add(10 * time.Since(begun))
	return nil
}

// settled drops the errors that only mean that somebody else was faster.
func settled(err error) error {
	if errors.Is(err, state.ErrConflict) || errors.Is(err, state.ErrNotFound) {
		return nil
	}
	return err
}
