package keeper

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
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
// it leaves as they are by their records alone, the others by asking.
func (k *Keeper) renew(ctx context.Context, current state.Database, behind []stale) error {
	count := 0
	for _, s := range behind {
		if s.database != current.Version {
			count++
		}
	}
	k.Verdicts.behind.Set(float64(count))
	late := k.Now().Sub(current.StoredAt)
	if count > 0 && late > overdue {
		k.Log.Warn("verdicts are behind the advisory database", zap.Int("images", count), zap.Duration("since", late))
	}
	if count == 0 || late > overdue {
		k.Renewal.End(current.Version)
	}
	if len(behind) == 0 {
		return nil
	}
	oldest, err := k.oldestWish(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, s := range behind {
		group.Go(func() error {
			if s.follows {
				if done, err := k.advance(ctx, s, current, k.changed); done || err != nil {
					return err
				}
			}
			return k.ask(ctx, s.digest, current.Version, oldest)
		})
	}
	return group.Wait()
}

// stale is an image whose verdict is not of the current database, or was not
// told of.
type stale struct {
	digest   events.Digest
	database string
	follows  bool                       // the current database replaced that, and may leave it as it is
	record   *state.Record[state.Image] // as it was read; nil: not held
}

// differences is what a database changes; not known: anything.
type differences struct {
	version, before string
	known           bool
	keys            advisory.Keys
}

// changes reads what the current database changes, once.
func (k *Keeper) changes(ctx context.Context, current state.Database) differences {
	if k.changed.version == current.Version && k.changed.before == current.Before {
		return k.changed
	}
	k.changed = differences{version: current.Version, before: current.Before}
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
// that answers otherwise about one of the image's packages.
func (k *Keeper) advance(ctx context.Context, s stale, current state.Database, changed differences) (done bool, err error) {
	rec := state.Record[state.Image]{Key: s.digest.Token()}
	if s.record != nil {
		rec = *s.record
	}
	_, err = k.State.Images.ChangeFrom(ctx, failpoint.RematchAdvance, rec, func(img *state.Image, exists bool) error {
		if done = !exists || img.Database == current.Version; done {
			return state.ErrUnchanged
		}
		if !follows(*img, current, changed) || !k.Renewal.Holds(ctx, current, *img, changed.keys) {
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
