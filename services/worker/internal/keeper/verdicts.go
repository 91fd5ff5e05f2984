package keeper

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
)

// Verdicts tells how far verdicts are behind the database in use.
type Verdicts struct {
	behind   prometheus.Gauge
	advanced prometheus.Counter
	asked    prometheus.Counter
}

// NewVerdicts registers what is told.
func NewVerdicts(r prometheus.Registerer) *Verdicts {
	v := &Verdicts{
		behind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "landwaiter_verdicts_behind",
			Help: "Images whose verdict was not of the current advisory database at the last look.",
		}),
		advanced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "landwaiter_verdicts_advanced_total",
			Help: "Verdicts that a new advisory database left as they were, because it says nothing else about any of the packages.",
		}),
		asked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "landwaiter_verdicts_asked_total",
			Help: "Verdicts that were asked to be made again.",
		}),
	}
	r.MustRegister(v.behind, v.advanced, v.asked)
	return v
}

// overdue is how long after a new database no verdict should be behind it any
// more, however many there are.
const overdue = 15 * time.Minute

// renew brings the verdicts that are behind up to the current database: those
// it says nothing else about by their records alone, the others by asking.
func (k *Keeper) renew(ctx context.Context, current state.Database, behind []stale) error {
	count := 0
	for _, s := range behind {
		if s.database != current.Version {
			count++
		}
	}
	k.Verdicts.behind.Set(float64(count))
	if late := k.Now().Sub(current.StoredAt); count > 0 && late > overdue {
		k.Log.Warn("verdicts are behind the advisory database", zap.Int("images", count), zap.Duration("since", late))
	}
	if len(behind) == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, s := range behind {
		group.Go(func() error {
			if s.holds {
				if done, err := k.advance(ctx, s.digest, current, k.changed.keys); done || err != nil {
					return err
				}
			}
			return k.ask(ctx, s.digest, current.Version)
		})
	}
	return group.Wait()
}

// stale is an image whose verdict is not of the current database, or was not
// told of.
type stale struct {
	digest   events.Digest
	database string
	holds    bool // as it was read, the current database says nothing else about it
}

// differences is what a database changes; not known: anything.
type differences struct {
	version string
	known   bool
	keys    advisory.Keys
}

// changes reads what the current database changes, once.
func (k *Keeper) changes(ctx context.Context, current state.Database) differences {
	if k.changed.version == current.Version {
		return k.changed
	}
	k.changed = differences{version: current.Version}
	if current.Changes == "" {
		return k.changed
	}
	const most = 64 << 20
	raw, err := k.State.Advisories.Get(ctx, current.Changes, most)
	if err == nil {
		k.changed.keys, err = advisory.DecodeChanges(raw)
	}
	if err != nil {
		k.Log.Warn("changes of the advisory database not readable, every verdict is made again", zap.Error(err))
		return k.changed
	}
	k.changed.known = true
	return k.changed
}

// advance notes that the verdict holds for the current database too, unless
// that says something else about one of the image's packages.
func (k *Keeper) advance(ctx context.Context, d events.Digest, current state.Database, changed advisory.Keys) (done bool, err error) {
	_, err = k.State.Images.Change(ctx, failpoint.RematchAdvance, d.Token(), func(img *state.Image, exists bool) error {
		if done = !exists || img.Database == current.Version; done {
			return state.ErrUnchanged
		}
		if img.Database != current.Before || changed.Touches(img.Keys) {
			return errTouched
		}
		img.Database, img.DatabaseAt, img.MatchedAt = current.Version, current.UpdatedAt, k.Now().UTC()
		return nil
	})
	if errors.Is(err, errTouched) {
		return false, nil
	}
	if err == nil && !done {
		k.Verdicts.advanced.Inc()
	}
	return true, err
}

var errTouched = errors.New("the verdict may be another")

// ask asks for a verdict to be made again, and again after a while in case the
// wish was lost: not each round, for there may be very many.
func (k *Keeper) ask(ctx context.Context, d events.Digest, version string) error {
	const patience = time.Minute
	n := k.asked.due(d, version, k.Now(), patience)
	if n == 0 {
		return nil
	}
	k.Verdicts.asked.Inc()
	return assess.Ask(ctx, k.Bus, d, version, strconv.Itoa(n))
}

// asked remembers when and how often which verdicts were asked for, of one
// database.
type asked struct {
	mu      sync.Mutex
	version string
	of      map[events.Digest]wish
}

type wish struct {
	at time.Time
	n  int
}

// due gives the number of the wish that is due now, from 1, and remembers that
// it was uttered; 0: none is.
func (a *asked) due(d events.Digest, version string, now time.Time, patience time.Duration) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.version != version {
		a.version, a.of = version, map[events.Digest]wish{}
	}
	w := a.of[d]
	if now.Sub(w.at) < patience {
		return 0
	}
	a.of[d] = wish{at: now, n: w.n + 1}
	return w.n + 1
}
