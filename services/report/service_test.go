package report_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// TestReplicasShareOneView runs two whole services on one broker and one Redis.
// Each shows what either has projected, and one goes on without the other.
func TestReplicasShareOneView(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.start()
	first, stopFirst := r.url, r.stop
	r.start()
	second := r.url
	push := func(n int) {
		r.putPlace(place(n))
		r.putReport(n, sample(n))
		r.announce(events.ImageChanged, n, fmt.Sprint("push", n))
	}
	const images = 20
	for n := range images {
		push(n)
	}
	for _, url := range []string{first, second} {
		r.url = url
		r.shows("", images)
		r.shows("?vulnerability=CVE-2026-0007", 1)
	}
	stopFirst()
	push(images)
	r.shows("", images+1)
	gone := place(0)
	r.removePlace(gone)
	r.announce(events.ImageExpired, 0, "expired")
	r.shows("", images)
	r.shows("?vulnerability=CVE-2026-0000", 0)
}

// A redis-server of the service's own that is ended from outside costs nobody
// the view, without anybody's doing.
func TestStoreOfOurOwnIsStartedAgain(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on PATH: apt-get install redis-server runs this test")
	}
	r := newRig(t, nil)
	r.cfg.Store.DataDir = t.TempDir()
	r.putPlace(place(1))
	r.putReport(1, sample(1))
	r.start()
	r.shows("", 1)
	sockets, err := filepath.Glob(r.cfg.Store.DataDir + "/*/redis.sock")
	if err != nil || len(sockets) != 1 {
		t.Fatalf("sockets %v, %v", sockets, err)
	}
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: sockets[0], MaxRetries: -1})
	defer func() { _ = c.Close() }()
	if err := c.Set(t.Context(), "old", "yes", 0).Err(); err != nil {
		t.Fatal(err)
	}
	_ = c.ShutdownNoSave(t.Context()) // it has nobody to answer to
	r.eventually("a new redis-server", func() string {
		if n, err := c.Exists(t.Context(), "old").Result(); err != nil || n != 0 {
			return fmt.Sprintf("the old one's key %d, %v", n, err)
		}
		return ""
	})
	r.eventually("the view", func() string {
		var page struct{ Images []any }
		if res := r.call(http.MethodGet, "/api/v1/images", nil, &page); res.StatusCode != http.StatusOK || len(page.Images) != 1 {
			return fmt.Sprintf("%s, %d images", res.Status, len(page.Images))
		}
		return ""
	})
}

func TestStoreMayGoAndComeBack(t *testing.T) {
	store := redistest.Start(t)
	r := newRig(t, store.Client())
	r.cfg.Admin = freeAddress(t)
	r.putPlace(place(1))
	r.putReport(1, sample(1))
	r.start()
	r.shows("", 1)
	r.answers("/readyz", http.StatusOK, "ready")

	store.Stop()
	r.answers("/readyz", http.StatusServiceUnavailable, "store does not answer")
	r.answers("/livez", http.StatusOK, "live")
	if res := r.call(http.MethodGet, "/api/v1/images", nil, nil); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("list without a store: %s, want 503: an empty list would look clean", res.Status)
	}
	r.putPlace(place(2)) // nobody can be told now
	r.putReport(2, sample(2))
	r.announce(events.ImageChanged, 2, "while-away")

	store.Resume(t)
	r.eventually("list", func() string {
		var page struct {
			Images     []any
			Rebuilding bool
		}
		if res := r.call(http.MethodGet, "/api/v1/images", nil, &page); res.StatusCode != http.StatusOK {
			return res.Status
		}
		if len(page.Images) < 2 && !page.Rebuilding {
			t.Errorf("%d images are listed as all there are", len(page.Images))
		}
		if len(page.Images) < 2 || page.Rebuilding {
			return fmt.Sprintf("%d images", len(page.Images))
		}
		return ""
	})
	r.answers("/readyz", http.StatusOK, "ready")
}

func TestMetrics(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.cfg.Admin = freeAddress(t)
	r.putPlace(place(1))
	r.start()
	r.shows("", 1)
	r.call(http.MethodGet, "/api/v1/images/"+string(digest(9)), nil, nil)
	r.answers("/metrics", http.StatusOK, `landwaiter_report_requests_total{route="GET /api/v1/images/{digest}",status="4xx"} 1`)
	r.answers("/metrics", http.StatusOK, "landwaiter_report_projection_errors_total 0")
	r.answers("/metrics", http.StatusOK, "landwaiter_report_streams 0")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
	if err != nil {
		t.Fatal(err)
	}
	r.answers("/metrics", http.StatusOK, "landwaiter_report_streams 1")
	_ = res.Body.Close()
	r.answers("/metrics", http.StatusOK, "landwaiter_report_streams 0")
}

// TestIndexIsRolledUp shows an index as bad and as unfinished as the worst of
// its platforms.
func TestIndexIsRolledUp(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	index := place(0)
	index.Index = true
	r.putPlace(index)
	children := []state.Child{
		{Digest: digest(1), Platform: platform},
		{Digest: digest(2), Platform: events.Platform{OS: "linux", Architecture: "arm64"}},
	}
	_, err := r.state.Images.Create(t.Context(), failpoint.PlanImage, digest(0).Token(), state.Image{
		Digest: digest(0), MediaType: "application/vnd.oci.image.index.v1+json", Children: children,
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		p := place(n)
		p.Repository, p.Tags = index.Repository, nil
		r.putPlace(p)
	}
	r.putReport(1, sample(1))
	r.putJob(2, state.JobRunning, "")
	r.start()
	type shown struct {
		Status    verdict.Status
		Complete  bool
		Summary   *verdict.Summary
		Platforms []struct{ Platform verdict.Platform }
	}
	want := func(status verdict.Status, complete bool, critical int) {
		t.Helper()
		r.eventually("rollup", func() string {
			var got shown
			r.call(http.MethodGet, "/api/v1/images/"+string(digest(0)), nil, &got)
			if len(got.Platforms) != 2 || got.Status != status || got.Complete != complete || got.Summary == nil || got.Summary.Critical != critical {
				return fmt.Sprintf("index is %+v", got)
			}
			return ""
		})
	}
	want(verdict.Scanning, false, 0)
	worse := sample(2)
	worse.Summary = verdict.Summary{Critical: 3, Total: 3}
	r.putReport(2, worse)
	r.putJob(2, state.JobDone, "")
	r.announce(events.ImageChanged, 2, "scanned")
	want(verdict.Completed, true, 3)
	if res := r.call(http.MethodGet, "/api/v1/reports/"+string(digest(0)), nil, nil); res.StatusCode != http.StatusConflict {
		t.Errorf("report of an index: %s", res.Status)
	}
}

// freeAddress is one that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// answers waits until the admin address answers so.
func (r *rig) answers(path string, status int, text string) {
	r.Helper()
	r.eventually(path, func() string {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+r.cfg.Admin+path, nil)
		if err != nil {
			r.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
		if err != nil {
			return err.Error()
		}
		defer func() { _ = res.Body.Close() }()
		raw, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != status || !strings.Contains(string(raw), text) {
			return fmt.Sprintf("%s %.3000s, %v; want %d %q", res.Status, raw, err, status, text)
		}
		return ""
	})
}
