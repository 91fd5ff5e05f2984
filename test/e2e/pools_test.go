package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/test/harness"
)

// crewman is a worker that takes only some jobs.
type crewman struct {
	os, pools string
	process   *harness.Process
	name      string // in events
}

// hire starts a worker and finds out by what name it calls itself.
func (f *fleet) hire(os, pools string) *crewman {
	f.t.Helper()
	before := f.workers()
	w := &crewman{os: os, pools: pools, process: f.work("LANDWAITER_OS="+os, "LANDWAITER_POOLS="+pools)}
	harness.WaitFor(f.t, soon, "the worker's sign of life", func(context.Context) error {
		for name := range f.workers() {
			if _, was := before[name]; !was {
				w.name = name
				return nil
			}
		}
		return fmt.Errorf("none besides %v", before)
	}, w.process)
	return w
}

func (f *fleet) workers() map[string]json.RawMessage { return f.records("landwaiter_workers") }

// may tells whether the worker takes jobs of this pool and operating system.
func (w *crewman) may(os, pool string) bool {
	return w.os == os && (pool == "any" || pool == w.pools)
}

// Jobs run where they may and nowhere else, and no sweep has more unfinished
// scans than its rule allows, not even while a worker dies, whose share goes to
// others. What nobody can take says so, and begins when somebody comes.
func TestPoolsAndScanners(t *testing.T) {
	harness.EndToEnd(t)
	const images, scanners = 6, 2
	registry := harness.StartRegistry(t, harness.RegistryOptions{})
	pools := map[string]struct{ os, pool string }{ // by repository
		"pool/site": {"linux", "site"}, "pool/any": {"linux", "any"}, "pool/win": {"windows", "any"}, "pool/far": {"windows", "far"},
	}
	var rules, digests, layers, far []string
	for repository, p := range pools {
		pool := ""
		if p.pool != "any" {
			pool = ", pool: " + p.pool
		}
		rules = append(rules, fmt.Sprintf("{name: %s, registry: local, repositories: [%s], platforms: [%s], scanners: %d%s, schedule: {everyDays: 1}}",
			strings.ReplaceAll(repository, "/", "-"), repository, p.os, scanners, pool))
		own, tops := catalog(t, registry, p.os, images, repository)
		digests, layers = append(digests, own...), append(layers, tops...)
		if p.pool == "far" {
			far = own
		}
	}
	f := newFleet(t, registry, "oci", rules...)
	f.common = append(f.common, "LANDWAITER_LEASE=3s", "LANDWAITER_SLOTS=6", "LANDWAITER_LAYERS=4")
	in := f.answer()
	f.stile.hold(blobs(layers...))
	crew := []*crewman{f.hire("linux", "site"), f.hire("linux", "other"), f.hire("windows", "site")}
	f.equipped()
	f.cron()

	// Every window fills, and the one that nobody serves says so.
	f.until("full windows", func(all []events.Event) error {
		if n := len(stages(all, events.ScanQueued)); n != len(pools)*scanners {
			return fmt.Errorf("%d scans are asked for", n)
		}
		if n := len(stages(all, events.ScanStarted)); n != (len(pools)-1)*scanners {
			return fmt.Errorf("%d scans have begun", n)
		}
		return nil
	})
	waiting := f.waiting(in, far)
	t.Run("console", func(t *testing.T) { in.pageSaysNoWorker(t, waiting) })

	// The one that serves the site dies with the site's scans in hand.
	crew[0].process.Kill()
	second := f.hire("linux", "site")
	f.until("somebody else in the site", func(all []events.Event) error {
		for _, s := range stages(all, events.ScanStarted) {
			if s.Worker == second.name && s.Image.Repository == "pool/site" {
				return nil
			}
		}
		return fmt.Errorf("scans by worker: %v", names(stages(all, events.ScanStarted)))
	}, second.process)
	crew = append(crew, second)
	f.stile.release()
	f.until("all that can be done", completed(slices.DeleteFunc(slices.Clone(digests), func(d string) bool { return slices.Contains(far, d) })))
	f.until("nothing done that cannot be", func(all []events.Event) error {
		if completed(far)(all) == nil {
			return errors.New("they are done")
		}
		return nil
	})
	crew = append(crew, f.hire("windows", "far"))
	f.until("the rest", completed(digests))
	f.until("the end of all sweeps", func(all []events.Event) error {
		if n := len(tellsOf(all, events.SweepCompleted)); n != len(pools) {
			return fmt.Errorf("%d are over", n)
		}
		return nil
	})

	all := f.results()
	for _, s := range append(stages(all, events.ScanStarted), stages(all, events.ScanInventoried)...) {
		p := pools[s.Image.Repository]
		i := slices.IndexFunc(crew, func(w *crewman) bool { return w.name == s.Worker })
		if i < 0 || !crew[i].may(p.os, p.pool) || s.Image.Platform.OS != p.os {
			t.Errorf("a scan for %+v of %s was %s at worker %q (%d)", p, s.Image.Repository, s.Kind, s.Worker, i)
		}
	}
	for repository, most := range unfinished(t, all) {
		if most != scanners {
			t.Errorf("%s had up to %d unfinished scans at a time, want %d", repository, most, scanners)
		}
	}
}

// waiting waits until the API says of some scan, of its image and of the sweep
// that they wait for a worker. It returns the image.
func (f *fleet) waiting(in *installation, digests []string) string {
	f.t.Helper()
	var found string
	harness.WaitFor(f.t, soon, "images without a worker", func(ctx context.Context) error {
		var list struct {
			Images []struct{ Digest, Waiting string }
		}
		if err := in.get(ctx, "/api/v1/images", &list); err != nil {
			return err
		}
		for _, img := range list.Images {
			if img.Waiting != "" && !slices.Contains(digests, img.Digest) {
				return fmt.Errorf("%s waits for %s", img.Digest, img.Waiting)
			}
			if img.Waiting == "no worker" {
				found = img.Digest
			}
		}
		if found == "" {
			return fmt.Errorf("none among %d", len(list.Images))
		}
		return nil
	}, in.up)
	var scan struct {
		Scans []struct{ State, Waiting string }
	}
	if err := in.get(f.t.Context(), "/api/v1/scans/"+found, &scan); err != nil || len(scan.Scans) != 1 || scan.Scans[0].Waiting != "no worker" || scan.Scans[0].State != "queued" {
		f.t.Errorf("the scan is %+v, %v", scan, err)
	}
	var sweeps struct {
		Sweeps []struct{ Rule, Waiting string }
	}
	if err := in.get(f.t.Context(), "/api/v1/sweeps", &sweeps); err != nil {
		f.t.Error(err)
	}
	for _, s := range sweeps.Sweeps {
		if (s.Waiting == "no worker") != (s.Rule == "pool-far") {
			f.t.Errorf("sweep of %s waits for %q", s.Rule, s.Waiting)
		}
	}
	return found
}

// pageSaysNoWorker looks for it in the list of images and at the image.
func (in *installation) pageSaysNoWorker(t *testing.T, digest string) {
	t.Helper()
	b := openBrowser(t)
	in.logIn(b)
	b.shows("the row that waits", func() error { return row(b, "pool/far", "waiting: no worker") })
	b.picture("waiting")
	b.do(chromedp.Navigate(in.console+"/images/"+digest), chromedp.WaitVisible(chromedp.CSS(`.cards`)))
	if text := b.text(); !strings.Contains(text, "waiting: no worker") {
		t.Errorf("the image's page says\n%s", text)
	}
}

// unfinished is, by repository, the greatest number of scans that were queued
// and not ended at one moment, as the events tell of it.
func unfinished(t *testing.T, all []events.Event) map[string]int {
	t.Helper()
	type edge struct {
		at   time.Time
		step int
	}
	edges := map[string][]edge{}
	for _, e := range all {
		switch d := e.Data().(type) {
		case events.ScanEvent:
			if d.Kind == events.ScanQueued {
				edges[d.Image.Repository] = append(edges[d.Image.Repository], edge{d.At, 1})
			}
		case events.ScanCompleted:
			edges[d.Image.Repository] = append(edges[d.Image.Repository], edge{d.CompletedAt, -1})
		}
	}
	most := map[string]int{}
	for repository, list := range edges {
		slices.SortFunc(list, func(a, b edge) int {
			if c := a.at.Compare(b.at); c != 0 {
				return c
			}
			return a.step - b.step
		})
		now := 0
		for _, e := range list {
			now += e.step
			most[repository] = max(most[repository], now)
		}
		if now != 0 {
			t.Errorf("%s: %d scans did not end", repository, now)
		}
	}
	return most
}

// A push is scanned at once while sweeps hold every slot they may have, and
// while a sweep runs at full speed.
func TestPushDuringASweep(t *testing.T) {
	harness.EndToEnd(t)
	const repositories, tags, between = 20, 10, 40
	registry := harness.StartRegistry(t, harness.RegistryOptions{})
	var swept []string
	for n := range repositories {
		swept = append(swept, fmt.Sprintf("sweep/app-%d", n))
	}
	digests, layers := catalog(t, registry, "linux", tags, swept...)
	f := newFleet(t, registry, "zot", "{name: sweep, registry: local, repositories: ['sweep/*'], schedule: {everyDays: 1}}",
		"{name: push, registry: local, repositories: ['push/*'], onPush: true}")
	f.common = append(f.common, "LANDWAITER_SLOTS=3", "LANDWAITER_LAYERS=2")
	f.stile.hold(blobs(layers...))
	_, hooks := f.receive()
	worker := f.work()
	f.equipped()
	f.cron()
	f.until("a sweep that finds nothing to push about", func(all []events.Event) error {
		if n := len(tellsOf(all, events.SweepCompleted)); n != 1 {
			return fmt.Errorf("%d are over", n)
		}
		return nil
	}, worker)
	f.stile.standing(t, 2) // of all that may be read for sweeps
	pushed, _ := catalog(t, registry, "linux", 2, "push/app")
	f.tell(hooks, "held", 0, pushed[0])
	f.until("the push while the sweep is held", completed(pushed[:1]), worker)
	if n := len(verdicts(f.results())); n != 1 {
		t.Errorf("%d verdicts, want only the push's", n)
	}
	f.stile.release()
	f.until("a sweep in full swing", func(all []events.Event) error {
		if n := len(verdicts(all)); n < 20 {
			return fmt.Errorf("%d verdicts", n)
		}
		return nil
	}, worker)
	f.tell(hooks, "flowing", 1, pushed[1])
	f.until("all verdicts", completed(append(pushed, digests...)), worker)
	n := 0
	for _, m := range f.messages("RESULTS", "landwaiter.result.scan.>") {
		e, err := events.Decode(events.Message{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
		if err != nil {
			t.Fatal(err)
		}
		switch d := e.Data().(type) {
		case events.ScanEvent:
			if d.Kind == events.ScanQueued && string(d.Image.Digest) == pushed[1] {
				n = 1
			}
		case events.ScanCompleted:
			if string(d.Image.Digest) == pushed[1] {
				t.Logf("%d scans of the sweep ended between the push's planning and its verdict", n-1)
				if n == 0 || n > between {
					t.Errorf("%d scans of the sweep came before the push", n-1)
				}
				return
			}
			if n > 0 {
				n++
			}
		}
	}
	t.Error("the push has no verdict")
}
