package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// timeline is which databases there were, each with one flaw of its own.
type timeline struct {
	mu  sync.Mutex
	all []live
}

type live struct {
	version, cve string
	from         time.Time // not later than it was brought in
}

// begin brings in a database.
func (l *timeline) begin(r *rig, cve string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := time.Now()
	l.all = append(l.all, live{r.database(known(r.t, flaw{cve, "zlib", "1:1.3-1"})), cve, from})
}

func (l *timeline) last() live {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[len(l.all)-1]
}

// verdicts are the databases of which verdicts were told, by image, in the
// order of telling. Each must have been there at that time, and the report
// must be what comes of it.
func (r *rig) verdicts(l *timeline) map[events.Digest][]int {
	r.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	told := map[events.Digest][]int{}
	for _, e := range r.told(events.KindCompleted) {
		data, ok := e.Data().(events.ScanCompleted)
		at := slices.IndexFunc(l.all, func(b live) bool { return b.version == data.Database })
		if !ok || at < 0 {
			r.t.Fatalf("told of a verdict of the database %q: %+v", data.Database, data)
		}
		if e.Time().Before(l.all[at].from) || data.CompletedAt.Before(l.all[at].from) {
			r.t.Errorf("%s: the verdict of %s is older than its database of %s", data.Image.Digest, e.Time(), l.all[at].from)
		}
		var report verdict.Report
		raw, err := r.state.Reports.Get(r.t.Context(), data.Report, 1<<24)
		if err == nil {
			err = json.Unmarshal(raw, &report)
		}
		if err != nil || len(report.Findings) != 1 || !strings.HasSuffix(report.Findings[0].ID, l.all[at].cve) {
			r.t.Fatalf("%s: the report of database %d, which knows %s, has %+v (%v)", data.Image.Digest, at, l.all[at].cve, report.Findings, err)
		}
		told[data.Image.Digest] = append(told[data.Image.Digest], at)
	}
	return told
}

// However many scans run while the database is replaced, by workers that open
// it at different moments: no verdict stays behind.
func TestDatabasesReplacedUnderManyScans(t *testing.T) {
	t.Parallel()
	const images = 200
	r := newRig(t)
	_, err := r.state.Registries.Change(t.Context(), failpoint.ConfigRegistry, registryName, func(m *state.Managed[config.Registry], _ bool) error {
		m.Value.Limits.RequestsPerSecond = 10_000
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var bases timeline
	replace := func(n int) { bases.begin(r, fmt.Sprintf("CVE-2026-%04d", n)) }
	replace(0)
	var committed atomic.Int32
	var swaps [3]sync.Once
	for range 2 {
		r.work(func(c *Config) {
			c.Slots = 8
			c.Bus.Fail = func(p failpoint.Point, m failpoint.Moment) {
				if p != failpoint.ScanReport || m != failpoint.After {
					return
				}
				if n := int(committed.Add(1)); n%50 == 0 && n < images {
					swaps[n/50-1].Do(func() { replace(n) })
				}
			}
		})
	}
	base := zlib(t, "1:1.2.13-1")
	var digests []events.Digest
	for i := range images {
		tag := fmt.Sprintf("t%d", i)
		d := r.push("team/app:"+tag, image(t, base, files(t, map[string]string{"app": tag})))
		r.pushed("team/app", tag, d)
		digests = append(digests, d)
	}
	for part := 25; part <= images; part += 25 {
		r.until("scans go on", func(context.Context) error {
			if n := int(committed.Load()); n < part {
				return fmt.Errorf("%d of %d are done", n, part)
			}
			return nil
		})
	}
	r.until("every verdict is of the last database", func(ctx context.Context) error {
		last := bases.last()
		behind := 0
		err := r.state.Images.All(ctx, ">", func(rec state.Record[state.Image]) error {
			if rec.Value.Database != last.version || rec.Value.Announced != rec.Value.Report {
				behind++
			}
			return nil
		})
		if err == nil && behind > 0 {
			err = fmt.Errorf("%d are behind", behind)
		}
		return err
	})
	r.until("the last that is told of every image is of the last database", func(context.Context) error {
		told := r.verdicts(&bases)
		for _, d := range digests {
			if list := told[d]; len(list) == 0 || list[len(list)-1] != len(bases.all)-1 {
				return fmt.Errorf("of %s is told %v", d, list)
			}
		}
		return nil
	})
	for d, list := range r.verdicts(&bases) {
		if !slices.IsSorted(list) {
			t.Errorf("of %s is told an older verdict after a newer one: %v", d, list)
		}
	}
	for _, d := range digests {
		if f := r.report(d).Findings; len(f) != 1 || !strings.HasSuffix(f[0].ID, "-0150") {
			t.Fatalf("findings %+v", f)
		}
	}
}
