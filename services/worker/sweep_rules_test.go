package worker

import (
	"slices"
	"testing"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// An image that several rules mean is scanned once, and is of all of them.
func TestImageOfSeveralRulesIsScannedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t,
		config.Rule{Name: "all", Registry: registryName},
		config.Rule{Name: "team", Registry: registryName, Repositories: []string{"team/*"}})
	r.work(nil)
	d := r.push("team/app:1", image(t, zlib(t, "1:1.2-1")))
	r.swept("all")
	if sw := r.swept("team"); sw.Counts.Images != 1 || sw.Counts.Released != 0 {
		t.Errorf("got counts %+v", sw.Counts)
	}
	p, err := r.place("team/app", d)
	if err != nil || !slices.Equal(p.Rules, []string{"all", "team"}) {
		t.Errorf("got place %+v, %v", p, err)
	}
	if j := r.job(d); j.State != state.JobDone || j.Generation != 1 {
		t.Errorf("got job %+v", j)
	}
	if n := len(r.told(events.KindCompleted)); n != 1 {
		t.Errorf("%d scans were completed", n)
	}
}

// A rule that scans all again resolves every tag and makes every verdict anew,
// and reads no layer that was read.
func TestScanAllScansAgainWithoutReadingLayers(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{
		Name: "again", Registry: registryName, ScanAll: true, Cap: 2, Schedule: config.Schedule{EveryDays: 7},
	})
	r.work(nil)
	var all []events.Digest
	for _, v := range []string{"1:1.2-1", "1:1.3-1"} {
		all = append(all, r.push("team/app:"+v[2:5], image(t, zlib(t, v))))
	}
	r.swept("again")
	r.registry.forget()
	if sw := r.swept("again"); sw.Counts.Released != 2 || sw.Counts.Finished != 2 {
		t.Errorf("got counts %+v", sw.Counts)
	}
	for _, d := range all {
		if j := r.job(d); j.State != state.JobDone || j.Generation != 2 {
			t.Errorf("got job %+v", j)
		}
	}
	if n := r.registry.gets("/blobs/"); n != 0 {
		t.Errorf("%d blobs were read again", n)
	}
}
