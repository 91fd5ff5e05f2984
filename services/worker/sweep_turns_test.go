package worker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Sweeps whose scans nobody does wait without a worker's slot, both those with
// a full window and those that only wait for their last scans.
func TestStuckSweepsStopNoOther(t *testing.T) {
	t.Parallel()
	rules := []config.Rule{{Name: "ordinary", Registry: registryName, Repositories: []string{"team/fine"}}}
	for i := range 3 {
		rules = append(rules, config.Rule{
			Name: fmt.Sprintf("stuck%d", i), Registry: registryName, Pool: "nobody",
			Repositories: []string{fmt.Sprintf("team/stuck%d", i)}, Scanners: i,
		})
	}
	r := newRig(t, rules...)
	push := func(ref string) {
		r.push(ref, image(t, files(t, map[string]string{"ref": ref})))
	}
	push("team/fine:1")
	for i := range 3 {
		push(fmt.Sprintf("team/stuck%d:1", i))
		push(fmt.Sprintf("team/stuck%d:2", i))
	}
	r.work(nil)
	at := time.Now()
	var stuck []string
	for i := range 3 {
		stuck = append(stuck, r.due(fmt.Sprintf("stuck%d", i), at))
	}
	for _, key := range stuck {
		r.until("the sweep waits without a lease", func(ctx context.Context) error {
			rec, err := r.state.Sweeps.Get(ctx, key)
			if sw := rec.Value; err == nil && (len(sw.Outstanding) == 0 || sw.Lease.Holder != "") {
				err = fmt.Errorf("it is %+v", sw)
			}
			return err
		})
	}
	if sw := r.sweepEnds(r.due("ordinary", at)); sw.Phase != state.SweepDone || sw.Counts.Finished != 1 {
		t.Errorf("got %+v", sw)
	}
	if n := len(r.told(events.SweepStarted)); n != 4 {
		t.Errorf("%d sweeps started, want 4", n)
	}
}

// A repository in the middle of its release counts once and is scanned once,
// whoever goes on with it, also where all is to be scanned again.
func TestSweepResumesInTheMiddleOfARepository(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"same worker": false, "another worker": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, config.Rule{Name: "again", Registry: registryName, Scanners: 1, ScanAll: true})
			day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
			var all []events.Digest
			slow := zlib(t, "1:1.2-1")
			for i, layer := range []string{"newest", "", "oldest"} {
				content := files(t, map[string]string{"name": layer})
				if layer == "" {
					content = slow
				}
				img := made(t, image(t, content), day.AddDate(0, 0, -i))
				all = append(all, r.push(fmt.Sprintf("team/app:%d", i), img))
			}
			hold := r.registry.hold("/blobs/", string(digestOf(t, slow)))
			change := func(c *Config) { c.Grace = 50 * time.Millisecond }
			stop := r.work(change)
			key := r.due("again", time.Now())
			<-hold.arrived
			r.until("the sweep waits for the second scan", func(ctx context.Context) error {
				rec, err := r.state.Sweeps.Get(ctx, key)
				if sw := rec.Value; err == nil && (sw.Counts.Released != 2 || !restart && sw.Lease.Holder != "") {
					err = fmt.Errorf("it is %+v", sw)
				}
				return err
			})
			if restart {
				stop()
				r.work(change)
			}
			hold.release()
			sw := r.sweepEnds(key)
			if c := sw.Counts; sw.Partial || c.Repositories != 1 || c.Images != 3 || c.Tags != 3 || c.Released != 3 || c.Finished != 3 || c.Failed != 0 {
				t.Errorf("got %+v", sw)
			}
			for _, d := range all {
				if j := r.job(d); j.State != state.JobDone || j.Generation != 1 {
					t.Errorf("got job %+v", j)
				}
			}
		})
	}
}

// What a crashed turn noted as released, but never asked for, is not counted
// as a scan that ended.
func TestReleaseThatNeverHappenedCountsNowhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.push("team/app:1", image(t, files(t, map[string]string{"a": "b"})))
	at := time.Now()
	key := events.SweepKey("all", at)
	absent := events.Digest("sha256:" + fmt.Sprintf("%064d", 7))
	_, err := r.state.Sweeps.Create(t.Context(), failpoint.SweepCreate, key, state.Sweep{
		Key: key, Rule: config.Rule{Name: "all", Registry: registryName}, DueAt: at, StartedAt: at,
		Phase: state.SweepScanning, Listed: true, Outstanding: []events.Digest{absent}, Counts: events.SweepCounts{Released: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.work(nil)
	r.due("all", at)
	if c := r.sweepEnds(key).Counts; c.Released != 0 || c.Finished != 0 {
		t.Errorf("got counts %+v", c)
	}
	r.noJob(d)
}
