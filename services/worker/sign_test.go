package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

func (r *rig) signs(ctx context.Context) (all []state.Worker, err error) {
	err = r.state.Workers.All(ctx, ">", func(rec state.Record[state.Worker]) error {
		all = append(all, rec.Value)
		return nil
	})
	return all, err
}

func (r *rig) serves(os, pool string) func(context.Context) error {
	return func(ctx context.Context) error {
		all, err := r.signs(ctx)
		if err == nil && !slices.ContainsFunc(all, func(w state.Worker) bool { return w.Serves(os, pool, time.Now()) }) {
			err = fmt.Errorf("nobody does: %+v", all)
		}
		return err
	}
}

func TestWorkerSaysWhatItTakes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stop := r.work(func(c *Config) { c.OS, c.Pools = []string{"windows"}, []string{"site"} })
	for _, pool := range []string{"any", "site"} {
		r.until("a worker serves the pool "+pool, r.serves("windows", pool))
	}
	if err := errors.Join(r.serves("linux", "any")(t.Context()), r.serves("windows", "other")(t.Context())); err == nil {
		t.Error("it serves what it was not told to")
	}
	stop()
	if all, err := r.signs(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("a worker that stopped is still there: %+v, %v", all, err)
	}
}

// A worker that dies in a sweep's scan keeps its share of the rule's scanners
// only as long as its lease.
func TestDeadWorkerGivesItsShareBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "one", Registry: registryName, Scanners: 1})
	slow := zlib(t, "1:1.2-1")
	r.push("team/app:1", image(t, slow))
	r.push("team/app:2", image(t, zlib(t, "1:1.3-1")))
	hold := r.registry.hold("/blobs/", string(digestOf(t, slow)))
	var key string
	r.workAndDie(func() {
		key = r.due("one", time.Now())
		<-hold.arrived
	})
	all, err := r.signs(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("got %+v, %v, want what the dead one said last", all, err)
	}
	r.until("it is known to be dead", func(ctx context.Context) error {
		if r.serves("linux", "any")(ctx) == nil {
			return errors.New("it seems alive")
		}
		return nil
	})
	hold.release()
	began := time.Now()
	r.work(quickLease)
	if sw := r.sweepEnds(key); sw.Counts.Finished != 2 || sw.Counts.Failed != 0 {
		t.Errorf("got sweep %+v", sw)
	}
	t.Logf("the sweep ended %s after another worker came", time.Since(began))
}
