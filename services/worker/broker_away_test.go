package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

// bucketAway takes a bucket from the broker, so that all that needs it fails,
// until what it returns is called.
func (r *rig) bucketAway(name string) (back func()) {
	r.t.Helper()
	js, bucket := r.bus.JetStream(), r.bus.Topology().Bucket(name)
	if err := js.DeleteKeyValue(r.t.Context(), bucket); err != nil {
		r.t.Fatal(err)
	}
	return func() {
		r.t.Helper()
		if _, err := state.Open(r.t.Context(), r.bus); err != nil {
			r.t.Fatal(err)
		}
	}
}

// What the broker does not do says nothing about the image: a scan waits for it
// however often it fails.
func TestBrokersErrorsAreNoAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	r.scanned("team/app", "before", image(t, zlib(t, "1:1.2-1"))) // the worker has made its buckets
	r.idle()
	back := r.bucketAway("layers")
	d := r.push("team/app:1", image(t, zlib(t, "1:1.3-1")))
	r.pushed("team/app", "1", d)
	r.until("the scan has failed", func(ctx context.Context) error {
		rec, err := r.state.Jobs.Get(ctx, d.Token())
		if err == nil && rec.Value.Error == "" {
			err = fmt.Errorf("got job %+v", rec.Value)
		}
		return err
	})
	if j := r.job(d); j.State != state.JobQueued || j.Attempts != (state.Attempts{}) {
		t.Errorf("got job %+v", j)
	}
	back()
	if j := r.jobEnds(d, state.JobDone); j.Attempts != (state.Attempts{}) {
		t.Errorf("got job %+v", j)
	}
}

// A sweep whose listing the broker disturbed is neither partial nor failed: it
// is done when the broker is back.
func TestBrokersErrorsMakeNoSweepPartial(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	r.scanned("team/app", "before", image(t, zlib(t, "1:1.2-1"))) // the worker has made its buckets
	r.idle()
	d := r.push("team/app:1", image(t, zlib(t, "1:1.3-1")))
	back := r.bucketAway("places")
	r.registry.forget()
	key := r.due("all", time.Now())
	r.until("the sweep has asked the registry", func(context.Context) error {
		if len(r.registry.requests()) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	if s := r.sweep(key); s.Phase.Terminal() || s.Partial || len(s.Missed) != 0 {
		t.Errorf("got sweep %+v", s)
	}
	back()
	if s := r.sweepEnds(key); s.Phase != state.SweepDone || s.Partial || s.Counts.Images != 2 || len(s.Failures) != 0 {
		t.Errorf("got sweep %+v", s)
	}
	r.jobEnds(d, state.JobDone)
}
