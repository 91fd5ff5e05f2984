package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

func TestSweepGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	repositories, tags := []string{"a", "b", "c", "d", "e"}, map[string][]string{}
	for _, name := range repositories {
		r.push(name+":1", image(t, files(t, map[string]string{"name": name})))
		tags[name] = []string{"1"}
	}
	list := listed(2, repositories, tags)
	hold := r.registry.hold("/v2/c/tags/list")
	held := r.registry.fail
	r.registry.failing(func(w http.ResponseWriter, req *http.Request) bool { return held(w, req) || list(w, req) })
	stop := r.work(func(c *Config) { c.Grace = 50 * time.Millisecond })
	key := r.due("all", time.Now())
	<-hold.arrived
	stop()
	r.registry.failing(list)
	r.work(nil)
	sweep := r.sweepEnds(key)
	if sweep.Phase != state.SweepDone || sweep.Partial || sweep.Counts.Repositories != 5 || sweep.Counts.Images != 5 || sweep.Counts.Released != 5 {
		t.Errorf("got sweep %+v", sweep)
	}
	for _, name := range repositories {
		want := 1
		if name == "c" {
			want = 2
		}
		if n := r.registry.gets("/v2/" + name + "/tags/list"); n != want {
			t.Errorf("%s was listed %d times, want %d", name, n, want)
		}
	}
	if n := r.registry.gets("/v2/_catalog"); n != 3 {
		t.Errorf("%d pages were listed, want 3", n)
	}
}

func TestOneSweepForOneDueTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.push("team/app:1", image(t, zlib(t, "1:1.3-1")))
	r.work(nil)
	r.work(nil)
	at := time.Now()
	key := r.due("all", at)
	r.due("all", at)
	r.sweepEnds(key)
	r.due("all", at)
	r.idle()
	if n := r.registry.gets("/v2/_catalog"); n != 1 {
		t.Errorf("the catalog was listed %d times", n)
	}
	if got := kinds(r.told(events.SweepStarted, events.SweepCompleted)); len(got) != 2 {
		t.Errorf("told %v", got)
	}
}

func TestPartialListingMakesNothingMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	a := r.scanned("team/a", "1", image(t, zlib(t, "1:1.3-1")))
	b := r.scanned("team/b", "1", image(t, zlib(t, "1:1.4-1")))
	r.registry.failing(status(http.StatusInternalServerError, "GET", "/v2/team/a/tags/list"))
	sweep := r.swept("all")
	if sweep.Phase != state.SweepDone || !sweep.Partial || len(sweep.Errors) != 1 || !strings.HasPrefix(sweep.Errors[0], "team/a: ") {
		t.Errorf("got sweep %+v", sweep)
	}
	for repository, d := range map[string]events.Digest{"team/a": a, "team/b": b} {
		if p, err := r.place(repository, d); err != nil || !p.MissingSince.IsZero() {
			t.Errorf("got place %+v, %v", p, err)
		}
	}
	completed, ok := r.told(events.SweepCompleted)[0].Data().(events.SweepEvent)
	if !ok || !completed.Partial || completed.Error == "" {
		t.Errorf("told %+v", completed)
	}
}

func TestOneBadManifestDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d := r.push("team/app:good", image(t, zlib(t, "1:1.3-1")))
	r.registry.manifest("team/app", "bad", "application/vnd.oci.image.manifest.v1+json", []byte(`{"layers": 7}`))
	sweep := r.swept("all")
	if !sweep.Partial || sweep.Counts.Images != 1 || len(sweep.Errors) != 1 {
		t.Errorf("got sweep %+v", sweep)
	}
	r.jobEnds(d, state.JobDone)
}

func TestSweepSeesWhatWasDeletedAndWhatReturns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	img := image(t, zlib(t, "1:1.3-1"))
	d := r.scanned("team/app", "1", img)
	r.scanned("team/app", "2", image(t, zlib(t, "1:1.4-1")))
	r.registry.remove("1", d)
	if sweep := r.swept("all"); sweep.Counts.Gone != 1 {
		t.Errorf("got counts %+v", sweep.Counts)
	}
	if p, err := r.place("team/app", d); err != nil || p.MissingSince.IsZero() || p.Missing != state.MissingGone {
		t.Errorf("got place %+v, %v", p, err)
	}
	r.push("team/app:1", img)
	r.swept("all")
	if p, err := r.place("team/app", d); err != nil || !p.MissingSince.IsZero() || p.Missing != "" {
		t.Errorf("got place %+v, %v", p, err)
	}
	if j := r.job(d); j.Generation != 1 {
		t.Errorf("it was scanned again: %+v", j)
	}
}

func TestUnreachableRegistryStartsRetentionOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	digests := map[string]events.Digest{}
	for _, repository := range []string{"team/a", "team/b"} {
		digests[repository] = r.scanned(repository, "1", image(t, files(t, map[string]string{"name": repository})))
	}
	r.registry.stop()
	sweep := r.swept("all")
	if sweep.Phase != state.SweepFailed || len(sweep.Errors) == 0 {
		t.Errorf("got sweep %+v", sweep)
	}
	for repository, d := range digests {
		p, err := r.place(repository, d)
		if err != nil || p.MissingSince.IsZero() || p.Missing != state.MissingUnreachable || time.Until(p.ExpiresAt()) < 24*time.Hour {
			t.Errorf("got place %+v, %v", p, err)
		}
	}
	if got := kinds(r.told(events.ImageGone, events.SweepFailed)); !slices.Equal(got, []events.Kind{events.ImageGone, events.ImageGone, events.SweepFailed}) {
		t.Errorf("told %v", got)
	}
	r.valid()
	r.registry.start()
	r.swept("all")
	for repository, d := range digests {
		if p, err := r.place(repository, d); err != nil || !p.MissingSince.IsZero() {
			t.Errorf("got place %+v, %v", p, err)
		}
	}
}

// The time in which nobody looked does not use up an image's retention.
func TestOurOwnOutageCountsAgainstNoImage(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "all", Registry: registryName, Retention: config.Duration(30 * time.Minute)})
	stop := r.work(nil)
	d := r.scanned("team/app", "1", image(t, zlib(t, "1:1.3-1")))
	r.idle()
	stop()
	r.registry.remove("1", d)
	back := time.Now().Add(-time.Hour)
	_, err := r.state.Places.Change(t.Context(), failpoint.KeeperCheck, state.PlaceKey(d, registryName, "team/app"), func(p *state.Place, _ bool) error {
		p.MissingSince, p.Missing, p.CheckedAt, p.CheckEvery = back, state.MissingGone, back, config.Duration(time.Minute)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.work(nil)
	r.until("somebody has looked", func(context.Context) error {
		p, err := r.place("team/app", d)
		if err == nil && p.CheckedAt.Equal(back) {
			err = errors.New("not yet")
		}
		if err == nil && time.Since(p.MissingSince) > 3*time.Minute {
			err = fmt.Errorf("missing since %s", p.MissingSince)
		}
		return err
	})
	if n := len(r.told(events.ImageExpired)); n != 0 {
		t.Error("it has expired")
	}
}
