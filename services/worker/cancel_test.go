package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// withdraw takes a requester from a job, as a user's cancellation does.
func (r *rig) withdraw(d events.Digest, requester string) {
	r.t.Helper()
	_, err := r.state.Jobs.Change(r.t.Context(), failpoint.CancelJob, d.Token(), func(j *state.Job, _ bool) error {
		j.Withdraw(requester, time.Now())
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// heldScan starts a scan that hangs in a layer.
func (r *rig) heldScan() (d events.Digest, hold barrier) {
	r.t.Helper()
	layer := zlib(r.t, "1:1.2.13-1")
	d = r.push("team/app:1.0", image(r.t, layer))
	hold = r.registry.hold("/blobs/", string(digestOf(r.t, layer)))
	r.pushed("team/app", "1.0", d)
	<-hold.arrived
	return d, hold
}

func TestCancelStopsAScanAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(func(c *Config) { c.Lease = time.Minute }) // nothing but the word itself may stop it
	d, hold := r.heldScan()
	began := time.Now()
	r.withdraw(d, r.job(d).Requesters[0].ID)
	select {
	case <-hold.gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the layer is still being read")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the worker stopped after %s", took)
	}
	job := r.jobEnds(d, state.JobCancelled)
	r.idle()
	if err := r.state.Layers.All(t.Context(), ">", func(rec state.Record[state.Layer]) error {
		return errors.New(rec.Key)
	}); err != nil {
		t.Errorf("a layer's claim is left: %v", err)
	}
	if img := r.image(d); img.Status != verdict.Unscanned || img.Report != "" {
		t.Errorf("got image %+v", img)
	}
	if n := len(r.told(events.ScanCancelled)); n != 1 {
		t.Errorf("cancelled is told %d times", n)
	}
	hold.release()
	r.idle()
	if after := r.job(d); after.Generation != job.Generation || after.State != state.JobCancelled {
		t.Errorf("it came back: %+v", after)
	}
	r.valid()
	// Only a new wish starts it again.
	r.pushed("team/app", "1.0", d)
	r.jobEnds(d, state.JobDone)
}

func TestOneOfTwoRequestersLeaves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d, hold := r.heldScan()
	req := r.request(events.ImageRequested{Registry: registryName, Repository: "team/app", Tag: "1.0"})
	r.withdraw(d, "request/"+req.ID)
	if j := r.job(d); j.State != state.JobRunning || len(j.Requesters) != 1 {
		t.Errorf("got %+v", j)
	}
	hold.release()
	if j := r.jobEnds(d, state.JobDone); j.Generation != 1 {
		t.Errorf("got generation %d", j.Generation)
	}
	if n := r.registry.gets("/blobs/"); n != 2 {
		t.Errorf("blobs were read %d times", n)
	}
}

func TestCancelWhileQueued(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.push("team/app:1.0", image(t, zlib(t, "1:1.2.13-1")))
	r.work(func(c *Config) { c.OS = []string{"windows"} }) // plans, and scans no such image
	r.pushed("team/app", "1.0", d)
	r.until("the job is queued", func(ctx context.Context) error {
		_, err := r.state.Jobs.Get(ctx, d.Token())
		return err
	})
	r.withdraw(d, r.job(d).Requesters[0].ID)
	r.work(nil)
	r.jobEnds(d, state.JobCancelled)
	if n := len(r.told(events.ScanStarted)); n != 0 {
		t.Errorf("%d scans were started", n)
	}
}
