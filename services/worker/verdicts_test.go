package worker

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// flaw is one CVE of a package of Debian 12.
type flaw struct{ cve, pkg, fixed string }

// known is an export that knows these flaws.
func known(tb testing.TB, flaws ...flaw) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "Debian"), 0o750); err != nil {
		tb.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "Debian", "all.zip"))
	if err != nil {
		tb.Fatal(err)
	}
	z := zip.NewWriter(file)
	for _, f := range flaws {
		w, err := z.Create("DEBIAN-" + f.cve + ".json")
		if err == nil {
			_, err = fmt.Fprintf(w, `{"id":"DEBIAN-%s","modified":"2026-01-01T00:00:00Z","upstream":[%q],"affected":[{"package":{"ecosystem":"Debian:12",
				"name":%q},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`, f.cve, f.cve, f.pkg, f.fixed)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), file.Close()); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// bash is a Debian 12 with nothing but bash.
func bash(t *testing.T) v1.Layer {
	t.Helper()
	return files(t, map[string]string{
		"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n",
		"var/lib/dpkg/status": "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n" +
			"Maintainer: Debian <d@debian.org>\n\n",
	})
}

// differences are the findings that are told to have changed.
func (r *rig) differences(d events.Digest) []events.FindingsChanged {
	r.t.Helper()
	var list []events.FindingsChanged
	for _, e := range r.told(events.KindFindings) {
		if data, ok := e.Data().(events.FindingsChanged); ok && data.Image.Digest == d {
			list = append(list, data)
		}
	}
	return list
}

func TestChangedFindingsAreTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.database(known(t, flaw{"CVE-2026-0001", "zlib", "1:1.3-1"}, flaw{"CVE-2026-0002", "zlib", "1:1.3-1"}))
	r.work(nil)
	with := r.scanned("team/app", "1", image(t, zlib(t, "1:1.2.13-1")))
	without := r.scanned("team/app", "2", image(t, bash(t)))
	r.idle()
	first := r.image(with)
	plain := r.image(without)
	version := r.database(known(t, flaw{"CVE-2026-0002", "zlib", "1:1.4-1"}, flaw{"CVE-2026-0003", "zlib", "1:1.3-1"}))
	r.comparedWith(version, with)
	r.comparedWith(version, without)
	r.idle()
	pkg := r.report(with).Findings[0].Package
	told := r.differences(with)
	for i := range told {
		told[i].Image = events.Image{}
	}
	change := func(cve, fixed string) events.Change {
		return events.Change{ID: cve, Package: pkg, Severity: "unknown", FixedVersion: fixed}
	}
	other := change("CVE-2026-0002", "1:1.4-1")
	other.Was = &events.Was{ID: other.ID, Severity: "unknown", FixedVersion: "1:1.3-1"}
	want := []events.FindingsChanged{
		{
			Cause: events.CausePush, Counts: events.ChangeCounts{Added: 2}, Report: first.Report,
			Added: []events.Change{change("CVE-2026-0001", "1:1.3-1"), change("CVE-2026-0002", "1:1.3-1")},
		},
		{
			Cause: events.CauseDatabase, Counts: events.ChangeCounts{Added: 1, Removed: 1, Changed: 1}, Before: first.Report, Report: r.image(with).Report,
			Added: []events.Change{change("CVE-2026-0003", "1:1.3-1")}, Removed: []events.Change{change("CVE-2026-0001", "1:1.3-1")},
			Changed: []events.Change{other},
		},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	// Nothing is different for the other image: only its record says that its
	// verdict holds for the new database too.
	now := r.image(without)
	if len(r.differences(without)) != 0 || now.Report != plain.Report || now.Verdict != 1 || !now.MatchedAt.After(plain.MatchedAt) {
		t.Errorf("told %+v; the image was %+v, is %+v", r.differences(without), plain, now)
	}
	if n := len(r.told(events.KindCompleted)); n != 3 {
		t.Errorf("completed is told %d times", n)
	}
	// A wish that comes once more is answered with nothing.
	r.publish("again", events.VerdictRequested{Digest: with, Database: version})
	r.idle()
	if n := len(r.told(events.KindFindings, events.KindCompleted)); n != 5 {
		t.Errorf("told %d times", n)
	}
	r.valid()
}

// An image that holds nothing of what changed is not even looked into.
func TestUntouchedVerdictsAreNotMadeAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.database(known(t, flaw{"CVE-2026-0001", "zlib", "1:1.3-1"}))
	var reads atomic.Int32
	r.work(func(c *Config) {
		c.Bus.Fail = func(p failpoint.Point, m failpoint.Moment) {
			if m == failpoint.After && (p == failpoint.RematchImage || p == failpoint.RematchPublish) {
				reads.Add(1)
			}
		}
	})
	d := r.scanned("team/app", "1", image(t, bash(t)))
	r.idle()
	for i := range 3 {
		r.comparedWith(r.database(known(t, flaw{"CVE-2026-0001", "zlib", fmt.Sprintf("1:1.%d-1", 4+i)})), d)
	}
	if n := reads.Load(); n != 0 {
		t.Errorf("the verdict was made again: %d", n)
	}
	r.comparedWith(r.database(known(t, flaw{"CVE-2026-0001", "zlib", "1:1.3-1"}, flaw{"CVE-2026-0002", "bash", "5.3-1"})), d)
	if n := len(r.report(d).Findings); n != 1 || reads.Load() == 0 {
		t.Errorf("%d findings after %d writes", n, reads.Load())
	}
}

// Whatever dies between the record and the announcement: it is told once.
func TestChangedFindingsAreToldOnce(t *testing.T) {
	t.Parallel()
	for _, point := range []failpoint.Point{failpoint.RematchImage, failpoint.RematchCompleted, failpoint.FindingsPublish, failpoint.FindingsTold} {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.database(known(t, flaw{"CVE-2026-0001", "zlib", "1:1.3-1"}))
			stop := r.work(quickLease)
			d := r.scanned("team/app", "1", image(t, zlib(t, "1:1.2.13-1")))
			r.idle()
			stop()
			version := r.database(known(t, flaw{"CVE-2026-0002", "zlib", "1:1.3-1"}))
			conns, cut := make(chan *nats.Conn, 1), make(chan struct{})
			var once sync.Once
			stop = r.work(func(c *Config) {
				quickLease(c)
				c.Bus.Extra = append(c.Bus.Extra, nats.ConnectHandler(func(nc *nats.Conn) { conns <- nc }))
				c.Bus.Fail = func(p failpoint.Point, m failpoint.Moment) {
					if p == point && m == failpoint.After {
						once.Do(func() { (<-conns).Close(); close(cut) })
					}
				}
			})
			<-cut
			stop()
			r.work(quickLease)
			r.comparedWith(version, d)
			r.until("it is told", func(context.Context) error {
				if img := r.image(d); img.Announced != img.Report {
					return errors.New("it is not")
				}
				return nil
			})
			r.idle()
			if told := r.differences(d); len(told) != 2 || told[1].Counts != (events.ChangeCounts{Added: 1, Removed: 1}) {
				t.Errorf("told %+v", told)
			}
			if n := len(r.told(events.KindCompleted)); n != 2 {
				t.Errorf("completed is told %d times", n)
			}
		})
	}
}

// The same inventory and database give the same report, byte for byte, whoever
// makes it and when.
func TestVerdictsAreReproducible(t *testing.T) {
	t.Parallel()
	flaws := known(t, flaw{"CVE-2026-0001", "zlib", "1:1.3-1"})
	img := image(t, zlib(t, "1:1.2.13-1"), files(t, map[string]string{"app": "x"}))
	var reports []events.Digest
	for range 2 {
		r := newRig(t)
		r.database(known(t, flaw{"CVE-2026-0009", "zlib", "1:1.3-1"}))
		r.work(nil)
		d := r.scanned("team/app", "1", img)
		version := r.database(flaws) // made again
		r.comparedWith(version, d)
		reports = append(reports, r.image(d).Report)
		r.request(events.ImageRequested{Registry: registryName, Repository: "team/app", Tag: "1", Force: true}) // scanned again
		r.until("it is scanned again", func(context.Context) error {
			if j := r.job(d); j.Generation != 2 || !j.Announced {
				return fmt.Errorf("generation %d", j.Generation)
			}
			return nil
		})
		reports = append(reports, r.image(d).Report)
	}
	for _, other := range reports[1:] {
		if other != reports[0] {
			t.Errorf("reports differ: %v", reports)
		}
	}
}

// Who uses which database is told when all that live do.
func TestDatabaseInUseIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	r.work(nil)
	r.until("both workers give signs of life", func(ctx context.Context) error {
		n := 0
		err := r.state.Replicas.All(ctx, ">", func(state.Record[state.Replica]) error { n++; return nil })
		if err == nil && n != 2 {
			err = fmt.Errorf("%d do", n)
		}
		return err
	})
	version := r.database(known(t, flaw{"CVE-2026-0001", "zlib", "1:1.3-1"}))
	var told []events.Event
	r.until("it is told", func(context.Context) error {
		if told = r.told(events.KindAdvisories); len(told) == 0 {
			return errors.New("it is not")
		}
		return nil
	})
	data, ok := told[0].Data().(events.AdvisoriesUpdated)
	if !ok || len(told) != 1 || data.Version != version || !data.Success || len(data.Replicas) != 2 {
		t.Fatalf("told %d times: %+v", len(told), data)
	}
	for _, w := range data.Replicas {
		if w.Database != version || w.Version == "" {
			t.Errorf("worker %+v", w)
		}
	}
	r.valid()
}
