package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// quickLease makes what a dead worker held free soon.
func quickLease(c *Config) { c.Lease = 500 * time.Millisecond }

// queued leaves a job in the queue that no worker of this rig takes.
func (r *rig) queued(tag string, img v1.Image) events.Digest {
	r.t.Helper()
	d := r.push("team/app:"+tag, img)
	stop := r.work(func(c *Config) { c.OS = []string{"windows"} })
	r.pushed("team/app", tag, d)
	r.until("the job is queued", func(ctx context.Context) error {
		_, err := r.state.Jobs.Get(ctx, d.Token())
		return err
	})
	r.idlePlan()
	stop()
	return d
}

func (r *rig) idlePlan() {
	r.t.Helper()
	r.until("planning is over", func(ctx context.Context) error {
		c, err := r.bus.JetStream().Consumer(ctx, r.bus.Topology().Stream(events.Registry), "plan")
		if err != nil {
			return err
		}
		if i := c.CachedInfo(); i.NumPending+uint64(i.NumAckPending) > 0 {
			return errors.New("facts are left")
		}
		return nil
	})
}

// died makes the job look as a worker leaves it that was killed in mid-scan.
func (r *rig) died(d events.Digest) {
	r.t.Helper()
	_, err := r.state.Jobs.Change(r.t.Context(), failpoint.ScanClaim, d.Token(), func(j *state.Job, _ bool) error {
		now := time.Now().Add(-time.Minute)
		j.Lease, j.NotBefore = state.Lease{}, time.Time{}
		if !j.Claim("killed", now, time.Second) {
			return errors.New("cannot be claimed")
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// workAndDie runs a worker that is cut off in mid-scan: its connection is
// gone, so that it can neither renew nor release anything.
func (r *rig) workAndDie(until func()) {
	r.t.Helper()
	conns := make(chan *nats.Conn, 1)
	stop := r.work(func(c *Config) {
		quickLease(c)
		c.Grace = time.Millisecond
		c.Bus.Extra = append(c.Bus.Extra, nats.ConnectHandler(func(nc *nats.Conn) { conns <- nc }))
	})
	until()
	(<-conns).Close()
	stop()
}

func TestAnotherWorkerTakesOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	base, top := zlib(t, "1:1.2.13-1"), files(t, map[string]string{"app": "x"})
	d := r.push("team/app:1.0", image(t, base, top))
	hold := r.registry.hold("/blobs/", string(digestOf(t, top)))
	r.pushed("team/app", "1.0", d)
	r.workAndDie(func() {
		<-hold.arrived
		r.until("the other layer is finished", func(context.Context) error {
			if !r.finishedLayers()[digestOf(t, base)] {
				return errors.New("it is not")
			}
			return nil
		})
	})
	r.registry.failing(nil)
	r.registry.forget()
	r.work(quickLease)
	job := r.jobEnds(d, state.JobDone)
	if job.Attempts.Crashes != 1 || job.Generation != 1 {
		t.Errorf("got attempts %+v, generation %d", job.Attempts, job.Generation)
	}
	if n := r.registry.gets("/blobs/"); n != 1 {
		t.Errorf("more was read than the layer that was not finished: %v", r.registry.requests())
	}
	if n := len(r.told(events.KindCompleted)); n != 1 || len(r.report(d).Packages) != 1 {
		t.Errorf("completed is told %d times", n)
	}
}

func (r *rig) finishedLayers() map[events.Digest]bool {
	r.t.Helper()
	done := map[events.Digest]bool{}
	err := r.state.Layers.All(r.t.Context(), ">", func(rec state.Record[state.Layer]) error {
		if rec.Value.State == state.LayerDone {
			done[rec.Value.Digest] = true
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return done
}

func TestThreeCrashesFail(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.queued("1.0", image(t, zlib(t, "1:1.2.13-1")))
	for range state.MaxCrashes {
		r.died(d)
	}
	r.work(quickLease)
	job := r.jobEnds(d, state.JobFailed)
	if !strings.Contains(job.Error, "died three times") || job.Attempts.Crashes != state.MaxCrashes {
		t.Errorf("got %+v", job)
	}
	if dead := r.dead(); len(dead) != 1 || dead[0] != job.Error {
		t.Errorf("got dead letters %q", dead)
	}
	if img := r.image(d); img.Status != verdict.Failed || img.Error != job.Error {
		t.Errorf("got image %+v", img)
	}
}

// A job that has crashed its workers waits for the others of its worker to end,
// and is not taken for crashed again while it waits.
func TestCrasherRunsAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	crasher := r.queued("crasher", image(t, zlib(t, "1:1.3-1")))
	for range state.LoneCrashes {
		r.died(crasher)
	}
	r.purgeWakeUps()
	lease := time.Second
	r.work(func(c *Config) { c.Lease = lease })
	other, hold := r.heldScan()
	r.publish("wake", new(r.job(crasher)).WakeUp())
	began := time.Now()
	r.until("twice a lease has passed", func(context.Context) error {
		if j := r.job(crasher); j.Lease.Holder != "killed" {
			t.Fatalf("it was claimed beside another: %+v", j)
		}
		if time.Since(began) < 2*lease {
			return errors.New("not yet")
		}
		return nil
	})
	hold.release()
	r.jobEnds(other, state.JobDone)
	if j := r.jobEnds(crasher, state.JobDone); j.Attempts.Crashes != state.LoneCrashes {
		t.Errorf("got attempts %+v", j.Attempts)
	}
}

// purgeWakeUps loses every wake-up.
func (r *rig) purgeWakeUps() {
	r.t.Helper()
	stream, err := r.bus.JetStream().Stream(r.t.Context(), r.bus.Topology().Stream(events.Scans))
	if err == nil {
		err = stream.Purge(r.t.Context())
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestLostWakeUpIsMadeUpFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.queued("1.0", image(t, zlib(t, "1:1.2.13-1")))
	r.purgeWakeUps()
	r.work(quickLease)
	r.jobEnds(d, state.JobDone)
}

func TestAnEndThatWasNotToldIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stop := r.work(nil)
	d := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1")))
	r.idle()
	stop()
	_, err := r.state.Jobs.Change(t.Context(), failpoint.ScanFinish, d.Token(), func(j *state.Job, _ bool) error {
		j.Announced = false
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.work(quickLease)
	r.jobEnds(d, state.JobDone)
	// Under the id it had before: whoever heard of it is not told twice.
	if n := len(r.told(events.KindCompleted)); n != 1 {
		t.Errorf("completed is told %d times", n)
	}
}

func TestStaleWakeUpIsIgnored(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.queued("1.0", image(t, zlib(t, "1:1.2.13-1")))
	_, err := r.state.Jobs.Change(t.Context(), failpoint.PlanJob, d.Token(), func(j *state.Job, _ bool) error {
		j.Generation++
		j.QueuedAt = time.Now().Add(time.Hour) // so that the keeper leaves it alone
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.work(nil)
	r.idle()
	if j := r.job(d); j.State != state.JobQueued {
		t.Errorf("a wake-up of generation 1 started generation %d", j.Generation)
	}
}
