package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/test/harness"
)

// listedSweep is what the tests read of a sweep.
type listedSweep struct {
	ID, Rule, State, Phase, Error string
	Partial, FailedOnly           bool
	Generation                    uint64
	Counts                        events.SweepCounts
	Failures                      map[string]int
}

// jobber is a fleet with one worker.
type jobber struct {
	*fleet

	in     *installation
	worker *harness.Process
}

func newJobber(t *testing.T, registry *harness.Registry, lease time.Duration) *jobber {
	t.Helper()
	j := &jobber{fleet: newFleet(t, registry, "oci")}
	j.common = append(j.common, "LANDWAITER_LEASE="+lease.String(), "LANDWAITER_SLOTS=4")
	j.in, j.worker = j.answer(), j.work()
	return j
}

// ask is one call of the API that has to work.
func (j *jobber) ask(method, p string, body, into any) {
	j.t.Helper()
	if err := j.in.call(j.t.Context(), method, p, body, into); err != nil {
		j.t.Fatalf("%s %s: %v", method, p, err)
	}
}

// ends waits until the sweep is done.
func (j *jobber) ends(id string) (s listedSweep) {
	j.t.Helper()
	harness.WaitFor(j.t, 4*soon, "the end of the sweep", func(ctx context.Context) error {
		if err := j.in.get(ctx, "/api/v1/sweeps/"+id, &s); err != nil {
			return err
		}
		if s.State != "done" {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	}, j.worker)
	return s
}

// powerCut kills broker and worker, and starts them again.
func (j *jobber) powerCut() {
	j.t.Helper()
	j.brokerNow.Kill()
	j.worker.Kill()
	j.startBroker()
	j.worker = j.work()
	harness.WaitFor(j.t, soon, "the API", func(ctx context.Context) error {
		return j.in.get(ctx, "/api/v1/sweeps", &struct{}{})
	}, j.in.up)
}

// quiet waits until nothing waits to be done.
func (j *jobber) quiet() {
	j.t.Helper()
	js := j.stream()
	harness.WaitFor(j.t, soon, "quiet", func(ctx context.Context) error {
		for _, name := range []string{"PLANS", "SWEEPS", "SCANS"} {
			if n := stored(ctx, js, name); n != 0 {
				return fmt.Errorf("%d in %s", n, name)
			}
		}
		return nil
	}, j.worker)
}

// state is what the record of the image's job says.
func (j *jobber) state(digest string) string {
	j.t.Helper()
	var job struct{ State string }
	if err := json.Unmarshal(j.records("landwaiter_jobs")[strings.Replace(digest, ":", "-", 1)], &job); err != nil {
		j.t.Fatalf("job of %s: %v", digest, err)
	}
	return job.State
}

// What is cancelled in mid-scan stops, and never comes back by itself: not with
// a broker and a worker that were killed and started again. It comes back when
// it is asked for.
func TestCancelledJobsStayCancelled(t *testing.T) {
	harness.EndToEnd(t)
	registry := harness.StartRegistry(t, harness.RegistryOptions{})
	digests, layers := catalog(t, registry, "linux", 1, "team/swept", "team/asked")
	// A lease that is renewed less often than is waited for the end: nothing but
	// the cancellation itself can stop the scan in time.
	t.Run("when all was told", func(t *testing.T) {
		j := newJobber(t, registry, 6*soon)
		j.cancelled(digests, layers, func() {
			j.stile.standing(t, 0) // whoever read the layers hung up
			j.until("the cancellations", cancelledOnce, j.worker)
			j.quiet()
		})
	})
	// What was not acknowledged the broker delivers again.
	t.Run("at once", func(t *testing.T) {
		j := newJobber(t, registry, 2*time.Second)
		j.cancelled(digests, layers, func() {})
	})
}

// cancelledOnce is nil once one sweep and two scans were told to be cancelled.
func cancelledOnce(all []events.Event) error {
	if n, m := len(stages(all, events.ScanCancelled)), len(tellsOf(all, events.SweepCancelled)); n != 2 || m != 1 {
		return fmt.Errorf("%d scans and %d sweeps", n, m)
	}
	return nil
}

// cancelled cancels a sweep and a scan while they read layers, and cuts the
// power when settle returns.
func (j *jobber) cancelled(digests, layers []string, settle func()) {
	t := j.t
	t.Helper()
	j.stile.hold(blobs(layers...))
	var sweep, beside listedSweep
	var scan struct{ ID string }
	j.ask(http.MethodPost, "/api/v1/sweeps", map[string]any{"registry": "local", "repositories": []string{"team/swept"}}, &sweep)
	j.ask(http.MethodPost, "/api/v1/scans", map[string]any{"image": j.stile.host() + "/team/asked:0"}, &scan)
	j.stile.standing(t, 2)
	j.is(sweep.ID, "running")

	j.ask(http.MethodPost, "/api/v1/sweeps/"+sweep.ID+"/cancel", nil, nil)
	j.ask(http.MethodPost, "/api/v1/scans/"+scan.ID+"/cancel", nil, nil)
	settle()
	reads := j.stile.reads()

	j.powerCut()
	j.stile.release()
	// Whatever the broker had to deliver again was delivered before this ends.
	j.ask(http.MethodPost, "/api/v1/sweeps", map[string]any{"registry": "local", "repositories": []string{"team/none"}}, &beside)
	j.ends(beside.ID)
	j.until("the cancellations", cancelledOnce, j.worker)
	j.quiet()
	j.is(sweep.ID, "cancelled")
	for i, d := range digests {
		if s := j.state(d); s != "cancelled" {
			t.Errorf("the job is %s", s)
		}
		if n := j.stile.reads()[layers[i]]; n != reads[layers[i]] {
			t.Errorf("its layer was read again")
		}
	}
	all := j.results()
	if n := len(stages(all, events.ScanQueued)); cancelledOnce(all) != nil || n != 2 || len(verdicts(all)) != 0 {
		t.Errorf("told: %d times queued, %v, %v", n, cancelledOnce(all), verdicts(all))
	}

	j.ask(http.MethodPost, "/api/v1/sweeps/"+sweep.ID+"/restart", nil, nil)
	if s := j.ends(sweep.ID); s.Generation != 1 || s.Counts.Finished != 1 || s.Counts.Images != 1 {
		t.Errorf("the restarted sweep is %+v", s)
	}
	if err := completed(digests[:1])(j.results()); err != nil {
		t.Error(err)
	}
	if s := j.state(digests[1]); s != "cancelled" {
		t.Errorf("the other's job is %s", s)
	}
	j.quiet()
	j.deletedForGood(sweep.ID)
}

// is looks for the sweep's state where sweeps are listed.
func (j *jobber) is(id, state string) {
	j.t.Helper()
	var list struct{ Sweeps []listedSweep }
	j.ask(http.MethodGet, "/api/v1/sweeps", nil, &list)
	i := slices.IndexFunc(list.Sweeps, func(s listedSweep) bool { return s.ID == id })
	if i < 0 || list.Sweeps[i].State != state {
		j.t.Errorf("sweep %s is not listed as %s: %+v", id, state, list.Sweeps)
	}
	shown := harness.Run(j.t.Context(), j.t, harness.Command{
		Path: harness.Binary(j.t, "landwaiter"), Args: []string{"sweeps", "list"},
		Env: []string{"LANDWAITER_URL=" + j.in.console, "LANDWAITER_TOKEN=" + token},
	})
	if !slices.ContainsFunc(strings.Split(shown.Stdout, "\n"), func(line string) bool {
		return strings.Contains(line, id) && strings.Contains(line, state)
	}) {
		j.t.Errorf("`landwaiter sweeps list` says\n%s%s", shown.Stdout, shown.Stderr)
	}
}

// deletedForGood deletes the sweep, and sees that a power cut does not bring it
// back.
func (j *jobber) deletedForGood(id string) {
	j.t.Helper()
	j.ask(http.MethodDelete, "/api/v1/sweeps/"+id, nil, nil)
	j.powerCut()
	j.quiet()
	var list struct{ Sweeps []listedSweep }
	j.ask(http.MethodGet, "/api/v1/sweeps", nil, &list)
	if slices.ContainsFunc(list.Sweeps, func(s listedSweep) bool { return s.ID == id }) {
		j.t.Errorf("the deleted sweep is back: %+v", list.Sweeps)
	}
}

// A sweep that is started again does all of it, or what failed: the scans, and
// every repository that could not be read, however many.
func TestRestartOfWhatFailed(t *testing.T) {
	harness.EndToEnd(t)
	const unread, read = 230, 20
	registry := harness.StartRegistry(t, harness.RegistryOptions{})
	var shut, open []string
	for n := range unread {
		shut = append(shut, fmt.Sprintf("shut/app-%03d", n))
	}
	for n := range read {
		open = append(open, fmt.Sprintf("open/app-%02d", n))
	}
	digests, layers := catalog(t, registry, "linux", 1, append(slices.Clone(shut), open...)...)
	broken := layers[unread] // of the first that can be listed
	j := newJobber(t, registry, 4*time.Second)
	j.stile.refusing(func(r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/v2/shut/") || path.Base(r.URL.Path) == broken
	})
	var sweep listedSweep
	j.ask(http.MethodPost, "/api/v1/sweeps", map[string]any{"registry": "local"}, &sweep)
	first := j.ends(sweep.ID)
	want := events.SweepCounts{Repositories: unread + read, Tags: read, Images: read, Released: read, Finished: read, Failed: 1}
	if first.Counts != want || !first.Partial || first.Failures["unauthorized"] != unread+1 {
		t.Errorf("the first sweep is %+v", first)
	}
	j.stile.refusing(nil)
	again := func(body any) listedSweep {
		j.ask(http.MethodPost, "/api/v1/sweeps/"+sweep.ID+"/restart", body, nil)
		return j.ends(sweep.ID)
	}
	second := again(map[string]any{"failed": true})
	want = events.SweepCounts{Repositories: unread, Tags: unread, Images: unread, Released: unread + 1, Finished: unread + 1}
	if second.Counts != want || second.Partial || !second.FailedOnly || len(second.Failures) != 0 {
		t.Errorf("the second sweep is %+v", second)
	}
	if err := completed(digests)(j.results()); err != nil {
		t.Error(err)
	}
	third := again(nil)
	want = events.SweepCounts{Repositories: unread + read, Tags: unread + read, Images: unread + read}
	if third.Counts != want || third.FailedOnly {
		t.Errorf("the third sweep is %+v", third)
	}
	for verdict, n := range verdicts(j.results()) {
		if n != 1 {
			t.Errorf("verdict %s was told of %d times", verdict, n)
		}
	}
}
