package worker

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// dates wants that images in team/app have their dates from these sources.
func (r *rig) dates(want map[events.Digest]events.DateSource) {
	r.t.Helper()
	for d, source := range want {
		p, err := r.place("team/app", d)
		if at, got := p.Dated(); err != nil || got != source || at.IsZero() != (source == events.DateUnknown) {
			r.t.Errorf("image %s is dated %s by %s, want %s, %v", d, at, got, source, err)
		}
	}
}

// A webhook's word goes before the day on which a sweep met the image, that
// before the config's; on a first listing nobody knows how old an image is.
func TestR10DateOfAnImage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	old := r.push("team/app:old", version(t, 0))
	epoch := r.push("team/app:epoch", made(t, version(t, 1), time.Unix(0, 0)))
	pushed := r.scanned("team/app", "pushed", version(t, 2))
	if sw := r.swept("all"); !cmp.Equal(sw.Dates, map[events.DateSource]int{events.DateCreated: 1, events.DateUnknown: 1, events.DateWebhook: 1}) {
		t.Errorf("the first sweep dated by %v", sw.Dates)
	}
	fresh := r.push("team/app:fresh", made(t, version(t, 3), time.Unix(0, 0)))
	r.push("team/new:1", version(t, 4)) // of a repository that was never listed
	if sw := r.swept("all"); !cmp.Equal(sw.Dates, map[events.DateSource]int{
		events.DateCreated: 2, events.DateUnknown: 1, events.DateWebhook: 1, events.DateFirstSeen: 1,
	}) {
		t.Errorf("the second sweep dated by %v", sw.Dates)
	}
	want := map[events.Digest]events.DateSource{
		old: events.DateCreated, epoch: events.DateUnknown, pushed: events.DateWebhook, fresh: events.DateFirstSeen,
	}
	r.dates(want)
	r.pushed("team/app", "fresh", fresh)
	r.idle()
	want[fresh] = events.DateWebhook
	r.dates(want)
	told := r.told(events.KindCompleted)
	by := map[events.Digest]events.DateSource{}
	for _, e := range told {
		image := e.Data().(events.ScanCompleted).Image
		by[image.Digest] = image.DateSource
	}
	if by[old] != events.DateCreated || by[epoch] != events.DateUnknown || by[pushed] != events.DateWebhook || by[fresh] != events.DateFirstSeen {
		t.Errorf("scans were told with dates by %v", by)
	}
}

// What a cap left out is not new when the next sweep meets it, nor is its
// manifest read again; what is new goes before it, however old it says it is.
func TestR9WhatACapLeftOutIsNotNew(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "newest", Registry: registryName, Repositories: []string{"team/app"}, Cap: 1})
	r.work(func(c *Config) { c.CollectEvery = time.Millisecond }) // images that lie nowhere are forgotten at once
	left := r.push("team/app:1", made(t, version(t, 1), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)))
	kept := r.push("team/app:2", made(t, version(t, 2), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)))
	for range 2 {
		sw := r.swept("newest")
		if sw.Counts.Images != 1 || !cmp.Equal(sw.Left, map[state.LeftOut]int{state.LeftByCap: 1}) ||
			!cmp.Equal(sw.Dates, map[events.DateSource]int{events.DateCreated: 1}) {
			t.Errorf("got %+v", sw)
		}
	}
	r.registry.forget()
	found := r.push("team/app:3", made(t, version(t, 3), time.Unix(0, 0)))
	r.swept("newest")
	r.dates(map[events.Digest]events.DateSource{kept: events.DateCreated, found: events.DateFirstSeen})
	r.noJob(left)
	if n := r.registry.gets("/manifests/" + string(left)); n != 0 {
		t.Errorf("the manifest of what was left out was read %d times again: %v", n, r.registry.requests())
	}
}

// With one scan at a time the order in which they are asked for is seen.
func TestR9NewestFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "one", Registry: registryName, Scanners: 1})
	r.work(nil)
	var want []events.Digest
	for i, tag := range []string{"b", "d", "a", "c"} {
		day := time.Date(2026, 5, 10-i, 0, 0, 0, 0, time.UTC)
		want = append(want, r.push("team/app:"+tag, made(t, image(t, files(t, map[string]string{"tag": tag})), day)))
	}
	r.swept("one")
	var got []events.Digest
	for _, e := range r.told(events.ScanQueued) {
		got = append(got, e.Data().(events.ScanEvent).Image.Digest)
	}
	if !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
}

// A chart is looked at once.
func TestR4AChartIsNoImageForGood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d := r.push("team/app:chart", mutate.ConfigMediaType(image(t, files(t, map[string]string{"a": "1"})), "application/vnd.cncf.helm.config.v1+json"))
	if sw := r.swept("all"); sw.Left[state.LeftNoImage] != 1 || sw.Partial {
		t.Errorf("got %+v", sw)
	}
	r.registry.forget()
	if sw := r.swept("all"); sw.Left[state.LeftNoImage] != 1 || sw.Partial {
		t.Errorf("got %+v", sw)
	}
	if n := r.registry.gets("/manifests/" + string(d)); n != 0 {
		t.Errorf("its manifest was read %d times again: %v", n, r.registry.requests())
	}
}
