package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap/zaptest"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report"
)

const adminToken = "a token for tests only"

// patience bounds every wait in these tests; it is reached only by a failure.
const patience = 20 * time.Second

// rig is a running service with its state and store.
type rig struct {
	*testing.T
	broker *natstest.Server
	bus    *bus.Bus
	state  *state.Store
	redis  *redis.Client
	url    string
	stop   func()
	cfg    report.Config
}

// stores opens each store the service can keep its view in.
func stores() map[string]func(t *testing.T) *redis.Client {
	return map[string]func(t *testing.T) *redis.Client{
		"redis-server": func(t *testing.T) *redis.Client {
			t.Helper()
			return redistest.Start(t).Client()
		},
		"in process": func(t *testing.T) *redis.Client {
			t.Helper()
			t.Setenv("PATH", "") // no redis-server is found
			c, description, closeStore, err := report.OpenStore(t.Context(), report.StoreOptions{DataDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(description, "in this process") {
				t.Fatalf("store is %q, want one in this process", description)
			}
			t.Cleanup(func() { _ = closeStore() })
			return c
		},
	}
}

// eachStore runs a test against every store.
func eachStore(t *testing.T, test func(t *testing.T, store *redis.Client)) {
	t.Helper()
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func newRig(t *testing.T, store *redis.Client) *rig {
	t.Helper()
	r := &rig{T: t, broker: natstest.Start(t), redis: store}
	r.bus = natstest.Bus(t, r.broker, "test")
	var err error
	if r.state, err = state.Open(t.Context(), r.bus); err != nil {
		t.Fatal(err)
	}
	r.cfg = report.Config{
		Bus:   bus.Options{URL: r.broker.ClientURL(), Service: "report"},
		Redis: store, AdminToken: adminToken, SweepEvery: 200 * time.Millisecond, Grace: time.Second,
	}
	return r
}

// start runs the service until stop or the test's end.
func (r *rig) start() {
	r.Helper()
	ln, err := app.Listen(r.Context(), "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	r.url = "http://" + ln.Addr().String()
	cfg := r.cfg
	cfg.Listener = ln
	log := zaptest.NewLogger(r.T)
	cfg.Bus.Log = log
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	ended := make(chan error, 1)
	go func() { ended <- report.Run(ctx, cfg, log) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				r.Errorf("Run = %v, want nil after its context's end", err)
			}
		case <-time.After(patience):
			r.Error("Run did not end")
		}
	}
	r.Cleanup(r.stop)
}

// eventually polls until the check returns nothing.
func (r *rig) eventually(what string, check func() string) {
	r.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		problem := check()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			r.Fatalf("%s: %s", what, problem)
		}
		<-tick.C
	}
}

// call asks the API as the admin.
func (r *rig) call(method, path string, body, into any) *http.Response {
	r.Helper()
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			r.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(r.Context(), method, r.url+path, reader)
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			r.Fatalf("%s %s: %s: %v: %s", method, path, res.Status, err, raw)
		}
	}
	return res
}

// list is what the tests read of a list of images.
type list struct {
	Images []struct {
		Digest    events.Digest    `json:"digest"`
		Registry  string           `json:"registry"`
		Status    verdict.Status   `json:"status"`
		Summary   *verdict.Summary `json:"summary"`
		Tags      []string         `json:"tags"`
		ExpiresAt time.Time        `json:"expiresAt"`
		Places    []any            `json:"places"`
	} `json:"images"`
	Next string `json:"next"`
}

func (r *rig) list(query string) list {
	r.Helper()
	var l list
	if res := r.call(http.MethodGet, "/api/v1/images"+query, nil, &l); res.StatusCode != http.StatusOK {
		r.Fatalf("GET /api/v1/images%s: %s", query, res.Status)
	}
	return l
}

// shows waits until a query lists exactly n images.
func (r *rig) shows(query string, n int) list {
	r.Helper()
	var l list
	r.eventually("images"+query, func() string {
		if l = r.list(query); len(l.Images) != n {
			return fmt.Sprintf("%d listed, want %d", len(l.Images), n)
		}
		return ""
	})
	return l
}

func digest(n int) events.Digest { return state.DigestOf([]byte(fmt.Sprint("image ", n))) }

var platform = events.Platform{OS: "linux", Architecture: "amd64"}

// place is a present place with a long retention.
func place(n int) state.Place {
	now := time.Now().UTC()
	return state.Place{
		Registry: "hub", Host: "registry.test", Repository: fmt.Sprintf("acme/app%d", n), Digest: digest(n), Platform: platform,
		Tags: map[string]time.Time{"v1": now}, Rules: []string{"nightly"}, FirstSeen: now, LastSeen: now, CheckedAt: now,
		Retention: config.Duration(time.Hour), CheckEvery: config.Duration(time.Hour),
	}
}

func (r *rig) putPlace(p state.Place) {
	r.Helper()
	_, err := r.state.Places.Change(r.Context(), failpoint.PlanPlace, state.PlaceKey(p.Digest, p.Registry, p.Repository),
		func(old *state.Place, _ bool) error { *old = p; return nil })
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) removePlace(p state.Place) {
	r.Helper()
	rec, err := r.state.Places.Get(r.Context(), state.PlaceKey(p.Digest, p.Registry, p.Repository))
	if err == nil {
		err = r.state.Places.Delete(r.Context(), failpoint.KeeperExpire, rec)
	}
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) putJob(n int, s state.JobState, reason string) {
	r.Helper()
	_, err := r.state.Jobs.Change(r.Context(), failpoint.PlanJob, digest(n).Token(), func(j *state.Job, _ bool) error {
		*j = state.Job{
			Digest: digest(n), State: s, Generation: 1, Lane: events.LanePush, Platform: platform, Pool: "default", Error: reason,
			Requesters: []state.Requester{{ID: "request/r1", Lane: events.LanePush, Registry: "hub", Repository: "acme/app"}},
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
}

// sample is a report with findings that tell images apart.
func sample(n int) verdict.Report {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	layer := verdict.LayerRef{Index: 0, Digest: string(digest(100)), CreatedBy: "ADD rootfs.tar /"}
	return verdict.Report{
		Image: verdict.Image{Digest: string(digest(n)), Platform: verdict.Platform(platform)},
		OS:    verdict.OS{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"}, Status: verdict.Completed,
		ScannedAt: at, MatchedAt: at, Database: verdict.Database{Version: "db1", UpdatedAt: at},
		Completeness: verdict.Completeness{Complete: true, Notes: []verdict.Note{}},
		Summary:      verdict.Summary{High: 1, Total: 1, Fixable: 1},
		Layers:       []verdict.Layer{{Index: 0, Digest: layer.Digest, CreatedBy: layer.CreatedBy, Size: 30 << 20}},
		Packages: []verdict.Package{{
			Name: "libssl3", Version: "3.0.9-1", Ecosystem: "Debian:12", PURL: "pkg:deb/debian/libssl3@3.0.9-1",
			Source: verdict.Source{Name: "openssl", Version: "3.0.9-1"}, Evidence: "record",
			Location: "var/lib/dpkg/status", Layer: layer,
		}},
		Findings: []verdict.Finding{{
			ID: fmt.Sprintf("CVE-2026-%04d", n), Aliases: []string{"GHSA-xxxx-yyyy-zzzz"}, Package: "pkg:deb/debian/libssl3@3.0.9-1",
			Severity: verdict.High, FixedVersion: "3.0.9-2", Layer: layer, Advisories: []string{"DSA-1-1"},
			Summary: "A short description of what is wrong.", CVSS: &verdict.CVSS{Version: "3.1", Score: 7.5, Vector: "CVSS:3.1/AV:N"},
		}},
	}
}

// putReport stores a report and the image that names it.
func (r *rig) putReport(n int, rep verdict.Report) {
	r.Helper()
	raw, err := json.Marshal(rep)
	if err != nil {
		r.Fatal(err)
	}
	d, err := r.state.Reports.Put(r.Context(), failpoint.ScanReport, raw)
	if err != nil {
		r.Fatal(err)
	}
	_, err = r.state.Images.Change(r.Context(), failpoint.ScanImage, digest(n).Token(), func(i *state.Image, _ bool) error {
		*i = state.Image{
			Digest: digest(n), MediaType: "application/vnd.oci.image.manifest.v1+json", Platform: platform,
			Inventory: digest(200 + n), ScannedAt: rep.ScannedAt, Report: d, Database: rep.Database.Version, MatchedAt: rep.MatchedAt,
			Summary: rep.Summary, Status: verdict.Completed, Generation: 1,
		}
		for _, note := range rep.Completeness.Notes {
			i.Completeness = append(i.Completeness, note.Code)
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
}

// announce publishes that something happened to an image.
func (r *rig) announce(kind events.Kind, n int, id string) {
	r.Helper()
	p := place(n)
	image := p.Event()
	var data events.Data = events.ScanEvent{
		Kind: kind, Scan: digest(n).Token() + ".1", Image: image, Generation: 1, Lane: events.LanePush, At: time.Now(),
	}
	switch kind { //nolint:exhaustive // the rest are scan events
	case events.ImageChanged, events.ImageGone, events.ImageExpired:
		data = events.ImageEvent{Kind: kind, Image: image, At: time.Now()}
	case events.ScanFailed:
		data = events.ScanEvent{
			Kind: kind, Scan: "s", Image: image, Generation: 1, Lane: events.LanePush, At: time.Now(), Error: "why",
		}
	}
	e, err := events.New(data, events.Meta{ID: id, Source: "test", Time: time.Now()})
	if err == nil {
		err = r.bus.Publish(r.Context(), failpoint.APIRequest, e)
	}
	if err != nil {
		r.Fatal(err)
	}
}
