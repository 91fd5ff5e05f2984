package worker

import (
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

// More repositories than a page of misses holds are shut, and open again. A
// sweep of what failed that is cancelled on its way, and begun once more, comes
// to each of them, and to the scans that had failed.
func TestRestartAfterACancelForgetsNoRepository(t *testing.T) {
	t.Parallel()
	names := make([]string, 2*state.MissedPageSize+20)
	for n := range names {
		names[n] = fmt.Sprintf("team/app-%03d", n)
	}
	r := newRig(t, config.Rule{Name: "all", Registry: registryName, Repositories: append([]string{"bad"}, names...)})
	stop := r.work(nil)
	broken, worse := zlib(t, "1:1.2-1"), zlib(t, "1:1.3-1")
	bad, cancelled := r.push("bad:1", image(t, broken)), r.push("bad:2", image(t, worse))
	refused := []intercept{
		status(http.StatusForbidden, "GET", "/blobs/", string(digestOf(t, broken))),
		status(http.StatusForbidden, "GET", "/blobs/", string(digestOf(t, worse))),
		status(http.StatusForbidden, "GET", "/v2/team/"),
	}
	r.registry.failing(func(w http.ResponseWriter, req *http.Request) bool {
		return slices.ContainsFunc(refused, func(refuse intercept) bool { return refuse(w, req) })
	})
	first := r.swept("all")
	if first.MissedPages != 2 || len(first.Missed) != 20 || first.Counts.Failed != 2 {
		t.Fatalf("%d pages and %d missed, counts %+v", first.MissedPages, len(first.Missed), first.Counts)
	}

	stop()
	r.registry.failing(func(http.ResponseWriter, *http.Request) bool { return false })
	r.registry.forget()
	restart := func(s *state.Sweep) { s.Again(uuid.NewString(), true, time.Now()) }
	second := r.change(first.Key, restart)
	if second.LeftBehind() != 2*state.MissedPageSize || len(second.Page) != 20 {
		t.Fatalf("got sweep %+v", second)
	}
	// As a turn leaves it that was cancelled in its first page, with one more
	// repository that could not be read and a scan that it had asked for.
	_, err := r.state.Jobs.Change(t.Context(), failpoint.PlanJob, cancelled.Token(), func(j *state.Job, _ bool) error {
		j.Request(state.Requester{ID: second.Requester(), Lane: events.LaneSweep, Registry: registryName, Repository: "bad"}, time.Now())
		j.Withdraw(second.Requester(), time.Now())
		j.Announced = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.change(first.Key, func(s *state.Sweep) {
		s.Phase, s.Missed, s.Page = state.SweepListing, s.Page[:1], s.Page[5:]
		s.Cancel(time.Now())
		s.Announced = true
	})
	r.change(first.Key, restart)
	r.work(nil)
	r.wakeSweep(first.Key)
	last := r.sweepEnds(first.Key)
	if c := last.Counts; last.Generation != 2 || last.Partial || c.Repositories != 2*state.MissedPageSize+16 || c.Released != 2 || c.Failed != 0 {
		t.Errorf("got sweep %+v", last)
	}
	asked := r.registry.requests()
	left := slices.DeleteFunc(names, func(name string) bool { return slices.Contains(asked, "GET /v2/"+name+"/tags/list") })
	if done := first.Missed[1:5]; !slices.Equal(left, done) {
		t.Errorf("not asked for: %v, want those that were done before the cancel: %v", left, done)
	}
	r.jobEnds(bad, state.JobDone)
	r.jobEnds(cancelled, state.JobDone)
}
