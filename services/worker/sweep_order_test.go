package worker

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Within a repository scans are released newest first; an image whose config
// tells the beginning of time is the last.
func TestNewestIsScannedFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "slow", Registry: registryName, Scanners: 1})
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	var want []events.Digest
	for i, at := range []time.Time{day.AddDate(0, 0, 2), day, day.AddDate(0, 0, -9), time.Unix(0, 0).UTC()} {
		tag := strconv.Itoa((i * 3) % 4) // neither the order of the dates nor its reverse
		want = append(want, r.push("team/app:"+tag, made(t, image(t, files(t, map[string]string{"tag": tag})), at)))
	}
	r.work(nil)
	r.swept("slow")
	var got []events.Digest
	for _, e := range r.told(events.ScanStarted) {
		if s, ok := e.Data().(events.ScanEvent); ok {
			got = append(got, s.Image.Digest)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("scanned in the order %v, want %v", got, want)
	}
}

// A catalog that breaks after its first page makes the sweep partial. What it
// had listed is swept; what lies behind is asked for by name and is not gone.
func TestCatalogThatBreaksInTheMiddle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	repositories := []string{"team/a", "team/b", "team/c"}
	tags := map[string][]string{}
	for _, repository := range repositories {
		tags[repository] = []string{"1"}
	}
	b := r.scanned("team/b", "1", image(t, zlib(t, "1:1.4-1")))
	a := r.push("team/a:1", image(t, zlib(t, "1:1.3-1")))
	c := r.push("team/c:1", image(t, zlib(t, "1:1.5-1")))
	pages := listed(1, repositories, tags)
	r.registry.failing(func(w http.ResponseWriter, req *http.Request) bool {
		if req.URL.Path == "/v2/_catalog" && req.URL.Query().Get("last") != "" {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return pages(w, req)
	})
	sweep := r.swept("all")
	if sweep.Phase != state.SweepDone || !sweep.Partial || sweep.Whole || sweep.Counts.Repositories != 1 || sweep.Counts.Gone != 0 ||
		sweep.Failures[state.FailureUnavailable] != 1 {
		t.Errorf("got sweep %+v", sweep)
	}
	if j := r.job(a); j.State != state.JobDone {
		t.Errorf("got job %+v", j)
	}
	r.noJob(c)
	if p, err := r.place("team/b", b); err != nil || !p.MissingSince.IsZero() {
		t.Errorf("got place %+v, %v", p, err)
	}
}
