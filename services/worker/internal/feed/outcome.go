package feed

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Outcomes counts what became of looks at the source.
type Outcomes struct {
	succeeded prometheus.Gauge
	failures  *prometheus.CounterVec
}

// NewOutcomes registers the counts.
func NewOutcomes(r prometheus.Registerer) *Outcomes {
	o := &Outcomes{
		succeeded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "landwaiter_advisories_success_timestamp_seconds",
			Help: "When the source of advisories was last read with success, whether or not there was anything new.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "landwaiter_advisories_failures_total",
			Help: "Looks at a source that failed: osv keeps the database in use, epss and kev the scores in use.",
		}, []string{"source"}),
	}
	r.MustRegister(o.succeeded, o.failures)
	return o
}

func (o *Outcomes) failed(source string) {
	if o != nil {
		o.failures.WithLabelValues(source).Inc()
	}
}

// maxReason bounds the reason in the record: a server may have a lot to say.
const maxReason = 500

// note keeps in the record what became of a look.
func (f *Feed) note(ctx context.Context, reason error) error {
	now := f.Now().UTC()
	if reason != nil {
		f.Outcomes.failed("osv")
	} else if f.Outcomes != nil {
		f.Outcomes.succeeded.Set(float64(now.Unix()))
	}
	_, err := f.State.Refreshes.Change(ctx, failpoint.AdvisoryUpdate, state.AdvisoryRefresh, func(r *state.Refresh, _ bool) error {
		r.Source = f.name()
		if reason == nil {
			r.SucceededAt, r.Condition = now, state.Failure{}
			return nil
		}
		if r.Condition.Count == 0 {
			r.Condition.Since = now
		}
		r.Condition.Error = strings.ToValidUTF8(reason.Error()[:min(len(reason.Error()), maxReason)], "")
		r.Condition.LastAt = now
		r.Condition.Count++
		return nil
	})
	return err
}

// asked tells when a user asks for a look, until stop is called.
func (f *Feed) asked(ctx context.Context) (asked <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	c := make(chan struct{}, 1)
	var following sync.WaitGroup
	following.Go(func() {
		last := f.Now()
		for ctx.Err() == nil {
			err := f.State.Refreshes.Watch(ctx, state.AdvisoryRefresh, func(u state.Update[state.Refresh]) {
				if !u.Value.AskedAt.After(last) {
					return
				}
				last = u.Value.AskedAt
				select {
				case c <- struct{}{}:
				default: // one is as good as two
				}
			})
			if err != nil {
				f.Log.Warn("watch for asked updates interrupted", zap.Error(err))
				wait(ctx, time.Second)
			}
		}
	})
	return c, func() { cancel(); following.Wait() }
}

// wait waits, unless ctx ends before.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
