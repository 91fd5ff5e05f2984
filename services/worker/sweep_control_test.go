package worker

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// order asks for a sweep as a user does.
func (r *rig) order(sw state.Sweep) (key string) {
	r.t.Helper()
	sw.Key, sw.Phase, sw.DueAt, sw.RequestedAt = sw.Rule.Registry+"."+uuid.NewString(), state.SweepRequested, time.Now(), time.Now()
	if _, err := r.state.Sweeps.Create(r.t.Context(), failpoint.SweepOrder, sw.Key, sw); err != nil {
		r.t.Fatal(err)
	}
	r.wakeSweep(sw.Key)
	return sw.Key
}

func (r *rig) wakeSweep(key string) {
	r.t.Helper()
	sw := r.sweep(key)
	r.publish(uuid.NewString(), events.SweepRequested{Sweep: key, Rule: sw.Rule.Name, DueAt: sw.DueAt})
}

func (r *rig) sweep(key string) state.Sweep {
	r.t.Helper()
	rec, err := r.state.Sweeps.Get(r.t.Context(), key)
	if err != nil {
		r.t.Fatal(err)
	}
	return rec.Value
}

// change alters the sweep's record as the API does.
func (r *rig) change(key string, alter func(*state.Sweep)) state.Sweep {
	r.t.Helper()
	rec, err := r.state.Sweeps.Change(r.t.Context(), failpoint.SweepCancel, key, func(s *state.Sweep, _ bool) error {
		alter(s)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return rec.Value
}

func (r *rig) cancelSweep(key string) state.Sweep {
	r.t.Helper()
	return r.change(key, func(s *state.Sweep) { s.Cancel(time.Now()) })
}

func soon(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	began := time.Now()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: it did not", what)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("%s: it took %s", what, took)
	}
}

func TestSweepWithoutARule(t *testing.T) {
	t.Parallel()
	r := newRig(t,
		config.Rule{Name: "covers", Registry: registryName, Repositories: []string{"team/app"}, Tags: []string{"1*"}},
		config.Rule{Name: "also", Registry: registryName, Repositories: []string{"team/*"}, Platforms: []string{"windows"}},
		config.Rule{Name: "others", Registry: registryName, Repositories: []string{"other/*"}})
	r.work(nil)
	wanted := r.push("team/app:1.0", image(t, files(t, map[string]string{"a": "1"})))
	untagged := r.push("team/app:2.0", image(t, files(t, map[string]string{"a": "2"})))
	elsewhere := r.push("other/app:1.0", image(t, files(t, map[string]string{"a": "3"})))
	sw := r.sweepEnds(r.order(state.Sweep{
		Rule: config.Rule{Registry: registryName, Repositories: []string{"team/*"}, Tags: []string{"1.*"}, Cap: 3},
	}))
	if sw.Phase != state.SweepDone || sw.Counts.Images != 1 || sw.Counts.Finished != 1 || sw.Baseline {
		t.Errorf("got sweep %+v", sw)
	}
	r.noJob(untagged)
	r.noJob(elsewhere)
	p, err := r.place("team/app", wanted)
	if err != nil || !slices.Equal(p.Rules, []string{"also", "covers"}) || p.Origin != state.OriginRequest {
		t.Errorf("got place %+v, %v", p, err)
	}
	r.valid()
}

func TestForcedSweepScansWhatIsKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d := r.scanned("team/app", "1", image(t, zlib(t, "1:1.2-1")))
	before := r.image(d)
	r.registry.forget()
	order := state.Sweep{Rule: config.Rule{Registry: registryName}}
	if sw := r.sweepEnds(r.order(order)); sw.Counts.Released != 0 {
		t.Errorf("got counts %+v", sw.Counts)
	}
	order.Force = true
	if sw := r.sweepEnds(r.order(order)); sw.Counts.Released != 1 || sw.Counts.Finished != 1 {
		t.Errorf("got counts %+v", sw.Counts)
	}
	after := r.image(d)
	if r.job(d).Generation != 2 || !after.ScannedAt.After(before.ScannedAt) || after.Inventory != before.Inventory {
		t.Errorf("got job %+v, image %+v, before %+v", r.job(d), after, before)
	}
	if n := r.registry.gets("/blobs/"); n != 0 {
		t.Errorf("%d blobs were read again", n)
	}
}

// A cancelled sweep's scan stops at once, and nothing of it comes back: not by
// wake-ups that were lost and found, nor with a broker that starts again.
func TestCancelledSweepStaysCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slow := zlib(t, "1:1.2-1")
	d := r.push("team/app:1", image(t, slow))
	hold := r.registry.hold("/blobs/", string(digestOf(t, slow)))
	stop := r.work(func(c *Config) { c.Lease = time.Minute }) // nothing but the word itself may stop it
	key := r.due("all", time.Now())
	<-hold.arrived
	sw := r.cancelSweep(key)
	if !slices.Equal(sw.Outstanding, []events.Digest{d}) {
		t.Fatalf("got sweep %+v", sw)
	}
	r.withdraw(d, sw.Requester())
	soon(t, "the scan stops", hold.gone)
	r.wakeSweep(key)
	if sw := r.sweepEnds(key); sw.Phase != state.SweepCancelled {
		t.Errorf("got sweep %+v", sw)
	}
	job := r.jobEnds(d, state.JobCancelled)
	if n := len(r.told(events.SweepCancelled)); n != 1 {
		t.Errorf("cancelled is told %d times", n)
	}
	stop()
	r.server.Restart(t)
	r.until("the broker is back", func(ctx context.Context) error {
		_, err := r.state.Sweeps.Get(ctx, key)
		return err
	})
	r.work(nil)
	hold.release()
	for _, wakeUp := range r.wakeUps(key, job) {
		r.publish(uuid.NewString(), wakeUp)
	}
	r.idle()
	if sw := r.sweep(key); sw.Phase != state.SweepCancelled {
		t.Errorf("got sweep %+v", sw)
	}
	if j := r.job(d); j.State != state.JobCancelled || j.Generation != job.Generation {
		t.Errorf("got job %+v", j)
	}
	if n := len(r.told(events.SweepCancelled, events.SweepStarted)); n != 2 {
		t.Errorf("%d times a sweep was told of", n)
	}
}

// wakeUps are what a broker may deliver again of a sweep and its job.
func (r *rig) wakeUps(key string, j state.Job) []events.Data {
	stale := j
	stale.Generation = 1
	sw := r.sweep(key)
	return []events.Data{
		events.SweepRequested{Sweep: key, Rule: sw.Rule.Name, DueAt: sw.DueAt}, j.WakeUp(), stale.WakeUp(),
	}
}

func TestCancelStopsAListingAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.push("team/app:1", image(t, zlib(t, "1:1.2-1")))
	hold := r.registry.hold("/v2/team/app/tags/list")
	r.work(func(c *Config) { c.Lease = time.Minute })
	key := r.due("all", time.Now())
	<-hold.arrived
	r.cancelSweep(key)
	soon(t, "the listing stops", hold.gone)
	if sw := r.sweepEnds(key); sw.Phase != state.SweepCancelled {
		t.Errorf("got sweep %+v", sw)
	}
}

// What a turn asked for while its sweep was cancelled, or a cancel that was cut
// off left behind, the worker that tells of the end takes back.
func TestWorkerTakesBackWhatTheCancelDidNot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slow := zlib(t, "1:1.2-1")
	d := r.push("team/app:1", image(t, slow))
	hold := r.registry.hold("/blobs/", string(digestOf(t, slow)))
	r.work(nil)
	key := r.due("all", time.Now())
	<-hold.arrived
	r.cancelSweep(key)
	soon(t, "the scan stops", hold.gone)
	r.jobEnds(d, state.JobCancelled)
}

func TestSweepThatOthersShareIsCancelledAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d, hold := r.heldScan()
	key := r.due("all", time.Now())
	r.until("the sweep waits for the scan", func(context.Context) error {
		if n := len(r.job(d).Requesters); n != 2 {
			return fmt.Errorf("%d want it", n)
		}
		return nil
	})
	r.cancelSweep(key)
	r.wakeSweep(key)
	r.sweepEnds(key)
	hold.release()
	if j := r.jobEnds(d, state.JobDone); j.Generation != 1 || len(j.Requesters) != 1 {
		t.Errorf("got job %+v", j)
	}
}

// A deleted sweep's messages make no new one.
func TestDeletedSweepStaysDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	at := time.Now()
	key := r.due("all", at)
	r.sweepEnds(key)
	r.change(key, (*state.Sweep).Delete)
	r.registry.forget()
	r.due("all", at)
	r.idle()
	if sw := r.sweep(key); !sw.Deleted || sw.Phase != state.SweepDone || len(r.registry.requests()) != 0 {
		t.Errorf("got sweep %+v, requests %v", sw, r.registry.requests())
	}
}

func TestRestartedSweep(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	broken := zlib(t, "1:1.2-1")
	bad := r.push("team/bad:1", image(t, broken))
	good := r.push("team/good:1", image(t, zlib(t, "1:1.3-1")))
	r.push("team/shut:1", image(t, zlib(t, "1:1.4-1")))
	failing := status(http.StatusForbidden, "GET", "/blobs/", string(digestOf(t, broken)))
	shut := status(http.StatusForbidden, "GET", "/v2/team/shut/tags/list")
	r.registry.failing(func(w http.ResponseWriter, req *http.Request) bool { return failing(w, req) || shut(w, req) })
	first := r.swept("all")
	want := map[state.FailureClass]int{state.FailureUnauthorized: 2}
	if first.Counts.Failed != 1 || first.Counts.Finished != 2 || fmt.Sprint(first.Failures) != fmt.Sprint(want) {
		t.Fatalf("got sweep %+v", first)
	}
	r.registry.failing(func(http.ResponseWriter, *http.Request) bool { return false })

	again := func(failed bool) state.Sweep {
		r.change(first.Key, func(s *state.Sweep) { s.Again(uuid.NewString(), failed, time.Now()) })
		r.wakeSweep(first.Key)
		return r.sweepEnds(first.Key)
	}
	second := again(true)
	if c := second.Counts; second.Generation != 1 || c.Repositories != 1 || c.Finished != 2 || c.Failed != 0 || len(second.Failures) != 0 {
		t.Errorf("got sweep %+v", second)
	}
	if j := r.jobEnds(bad, state.JobDone); j.Generation != 2 || !slices.Equal(j.Rules(), []string{"all"}) {
		t.Errorf("got job %+v", j)
	}
	if j := r.job(good); j.Generation != 1 {
		t.Errorf("got job %+v", j)
	}
	r.registry.forget()
	third := again(false)
	if c := third.Counts; third.Generation != 2 || c.Repositories != 3 || c.Images != 3 || c.Released != 0 {
		t.Errorf("got sweep %+v", third)
	}
	if n := len(r.told(events.SweepStarted)); n != 3 {
		t.Errorf("%d starts were told of, want 3", n)
	}
	r.valid()
}
