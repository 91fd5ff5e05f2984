package worker

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// comparedWith waits until the image's verdict was made with a database.
func (r *rig) comparedWith(version string, d events.Digest) {
	r.t.Helper()
	r.until("the verdict is made again", func(ctx context.Context) error {
		rec, err := r.state.Images.Get(ctx, d.Token())
		if err == nil && rec.Value.Database != version {
			err = fmt.Errorf("it was made with %q, want %q", rec.Value.Database, version)
		}
		return err
	})
}

func TestNewAdvisoriesReachEveryImage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.database(advisories(t, "CVE-2026-0001", "1:1.1-1"))
	r.work(nil)
	var digests []events.Digest
	for i := range 4 {
		d := r.scanned("team/app", strconv.Itoa(i), image(t, zlib(t, fmt.Sprintf("1:1.%d-1", i))))
		digests = append(digests, d)
		r.comparedWith(first, d)
	}
	if n := len(r.report(digests[0]).Findings); n != 1 {
		t.Fatalf("%d findings before", n)
	}
	r.idle()
	r.registry.forget()
	second := r.database(advisories(t, "CVE-2026-0002", "1:1.3-1"))
	reports := make([]verdict.Report, len(digests))
	for i, d := range digests {
		r.comparedWith(second, d)
		reports[i] = r.report(d)
		want := 1
		if i == 3 {
			want = 0
		}
		if n := len(reports[i].Findings); n != want || reports[i].Status != verdict.Completed {
			t.Errorf("image %d: %d findings, status %d", i, n, reports[i].Status)
		}
	}
	r.idle()
	if asked := r.registry.requests(); len(asked) != 0 {
		t.Errorf("the registry was asked: %v", asked)
	}
	// The verdict of the last one is the same as before.
	if n := len(r.told(events.KindCompleted)); n != 2*len(digests)-1 {
		t.Errorf("completed is told %d times", n)
	}
	r.valid()
	// A fresh scan finds the same.
	r.request(events.ImageRequested{Registry: registryName, Repository: "team/app", Tag: "1", Force: true})
	r.until("it is scanned again", func(context.Context) error {
		if j := r.job(digests[1]); j.Generation != 2 || !j.Announced {
			return fmt.Errorf("generation %d", j.Generation)
		}
		return nil
	})
	fresh := r.report(digests[1])
	if diff := cmp.Diff(reports[1], fresh); diff != "" {
		t.Errorf("made again and scanned again differ:\n%s", diff)
	}
}

func TestDatabaseReplacedDuringAScan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.database(advisories(t, "CVE-2026-0001", "1:1.3-1"))
	newer := advisories(t, "CVE-2026-0002", "1:1.3-1")
	var version string
	swap := sync.OnceFunc(func() { version = r.database(newer) })
	r.work(func(c *Config) {
		c.Bus.Fail = func(p failpoint.Point, m failpoint.Moment) {
			if p == failpoint.ScanReport && m == failpoint.After {
				swap()
			}
		}
	})
	d := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1")))
	r.comparedWith(version, d)
	if f := r.report(d).Findings; len(f) != 1 || f[0].ID != "CVE-2026-0002" {
		t.Errorf("got findings %+v", f)
	}
}

func TestWithoutDatabaseNothingIsClean(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1")))
	report := r.report(d)
	if report.Status != verdict.Scanned || report.Completeness.Complete || len(report.Completeness.Notes) != 1 ||
		report.Completeness.Notes[0].Code != verdict.NoteNoDatabase || r.image(d).Status != verdict.Scanned {
		t.Errorf("got status %d, %+v", report.Status, report.Completeness)
	}
	done, ok := r.told(events.KindCompleted)[0].Data().(events.ScanCompleted)
	if !ok || done.Status != 4 || done.Completeness.Complete {
		t.Errorf("told %+v", done)
	}
	version := r.database(advisories(t, "CVE-2026-0001", "1:1.3-1"))
	r.comparedWith(version, d)
	report = r.report(d)
	if report.Status != verdict.Completed || !report.Completeness.Complete || len(report.Findings) != 1 || r.image(d).Status != verdict.Completed {
		t.Errorf("got status %d, %+v", report.Status, report.Completeness)
	}
	r.valid()
}

// A worker that has not opened the current database must not take verdicts back
// to its own, older one.
func TestVerdictNeverGoesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.database(advisories(t, "CVE-2026-0001", "1:1.3-1"))
	r.work(nil)
	d := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1")))
	r.idle()
	// A database whose object is lost cannot be opened by anybody.
	_, err := r.state.Databases.Change(t.Context(), failpoint.AdvisoryRecord, state.CurrentDatabase, func(db *state.Database, _ bool) error {
		db.Version, db.Object = "sha256:lost", state.DigestOf([]byte("lost"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	made := r.image(d)
	r.publish("stale", events.VerdictRequested{Digest: d, Database: made.Database})
	r.until("the wish waits for the database", func(ctx context.Context) error {
		c, err := r.bus.JetStream().Consumer(ctx, r.bus.Topology().Stream(events.Rematch), "rematch")
		if err == nil && c.CachedInfo().NumRedelivered == 0 {
			err = fmt.Errorf("%d are out", c.CachedInfo().NumAckPending)
		}
		return err
	})
	if img := r.image(d); img.Report != made.Report || img.Database != made.Database {
		t.Errorf("got %+v, want %+v", img, made)
	}
}
