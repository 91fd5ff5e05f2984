package report_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// swept is a sweep as the API shows it.
type swept struct {
	ID, Rule, Registry, State, Phase, Waiting, PushedWithin string
	Repositories, Tags                                      []string
	Cap, Generation                                         int
	Force, FailedOnly                                       bool
	SecondsLeft                                             *int
	Failures                                                map[string]int
}

// keyed is a call with an Idempotency-Key.
func (r *rig) keyed(key, path, body string, into any) int {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if into != nil && res.StatusCode < 300 {
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			r.Fatal(err)
		}
	}
	return res.StatusCode
}

func newSweepRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, redistest.Start(t).Client())
	if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, "hub", state.Managed[config.Registry]{
		Value: config.Registry{Name: "hub", Address: "registry.test"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.state.Rules.Create(t.Context(), failpoint.ConfigRule, "nightly", state.Managed[config.Rule]{
		Value: config.Rule{Name: "nightly", Registry: "hub", Tags: []string{"1*"}},
	}); err != nil {
		t.Fatal(err)
	}
	r.start()
	return r
}

func (r *rig) sweepRecord(id string) state.Sweep {
	r.Helper()
	rec, err := r.state.Sweeps.Get(r.Context(), id)
	if err != nil {
		r.Fatal(err)
	}
	return rec.Value
}

func (r *rig) setSweep(id string, alter func(*state.Sweep)) {
	r.Helper()
	if _, err := r.state.Sweeps.Change(r.Context(), failpoint.SweepCursor, id, func(s *state.Sweep, _ bool) error {
		alter(s)
		return nil
	}); err != nil {
		r.Fatal(err)
	}
}

func TestSweepOnDemand(t *testing.T) {
	r := newSweepRig(t)
	const filters = `{"registry":"hub","repositories":["team/*"],"tags":["1.*"],"pushedWithin":"7d","cap":3,"force":true}`
	var first, again swept
	if code := r.keyed("one", "/api/v1/sweeps", filters, &first); code != http.StatusAccepted {
		t.Fatalf("POST: %d", code)
	}
	if first.State != "requested" || first.Registry != "hub" || first.Rule != "" || first.Cap != 3 || !first.Force ||
		first.PushedWithin != "7d" || len(first.Repositories) != 1 || len(first.Tags) != 1 || first.Waiting != "no worker" {
		t.Errorf("got %+v", first)
	}
	rec := r.sweepRecord(first.ID)
	if rec.Phase != state.SweepRequested || rec.Rule.Cap != 3 || !rec.Force || rec.Rule.PushedWithin != config.Within(7*24*time.Hour) {
		t.Errorf("the record is %+v", rec)
	}
	if code := r.keyed("one", "/api/v1/sweeps", filters, &again); code != http.StatusAccepted || again.ID != first.ID {
		t.Errorf("asked again: %d, %s, want %s", code, again.ID, first.ID)
	}
	if code := r.keyed("one", "/api/v1/sweeps", `{"registry":"hub"}`, nil); code != http.StatusConflict {
		t.Errorf("another sweep under the same key: %d", code)
	}
	if code := r.keyed("one", "/api/v1/sweeps", `{"rule":"nightly"}`, &again); code != http.StatusAccepted || again.Rule != "nightly" || len(again.Tags) != 1 {
		t.Errorf("a rule: %d %+v", code, again)
	}
	for body, want := range map[string]int{
		`{}`: 400, `{"registry":"hub","cap":-1}`: 400, `{"rule":"nightly","tags":["a"]}`: 400, `{"registry":"none"}`: 404, `{"rule":"none"}`: 404,
	} {
		if code := r.keyed("", "/api/v1/sweeps", body, nil); code != want {
			t.Errorf("%s: %d, want %d", body, code, want)
		}
	}
	// Each answer woke a worker: the one before may have been lost.
	if woken := r.on(events.Sweeps); len(woken) != 3 {
		t.Errorf("woken %d times, want 3", len(woken))
	}
	r.validSweeps(first.ID)
}

// validSweeps holds what the API shows against its own description.
func (r *rig) validSweeps(id string) {
	r.Helper()
	c := compiler(r.T)
	for path, schema := range map[string]string{"/api/v1/sweeps": "SweepPage", "/api/v1/sweeps/" + id: "Sweep"} {
		s, err := c.Compile(schemas.Base + schemas.OpenAPI + "#/components/schemas/" + schema)
		if err != nil {
			r.Fatal(err)
		}
		var got any
		r.call(http.MethodGet, path, nil, &got)
		if err := s.Validate(got); err != nil {
			r.Errorf("%s: %v", path, err)
		}
	}
}

func TestSweepIsCancelledRestartedAndDeleted(t *testing.T) {
	r := newSweepRig(t)
	var s swept
	r.keyed("", "/api/v1/sweeps", `{"rule":"nightly"}`, &s)
	path := "/api/v1/sweeps/" + s.ID
	status := func(want int, method, path string, body any) {
		t.Helper()
		var got bytes.Buffer
		res := r.call(method, path, body, nil)
		if res.StatusCode != want {
			t.Errorf("%s %s: %d %s, want %d", method, path, res.StatusCode, got.String(), want)
		}
	}
	status(http.StatusConflict, http.MethodPost, path+"/restart", map[string]any{})
	status(http.StatusConflict, http.MethodDelete, path, nil)
	r.putJob(1, state.JobRunning, "")
	r.putJob(2, state.JobFailed, "it is broken")
	record := r.sweepRecord(s.ID)
	for n := 1; n <= 2; n++ {
		if _, err := r.state.Jobs.Change(t.Context(), failpoint.PlanJob, digest(n).Token(), func(j *state.Job, _ bool) error {
			j.Requesters = []state.Requester{{ID: record.Requester(), Lane: events.LaneSweep, Registry: "hub", Repository: "acme/app"}}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	r.setSweep(s.ID, func(s *state.Sweep) {
		s.Phase, s.StartedAt, s.Outstanding = state.SweepScanning, time.Now().Add(-time.Minute), []events.Digest{digest(1)}
		s.Counts = events.SweepCounts{Images: 4, Released: 4, Finished: 3, Failed: 1}
		s.Fail(state.FailureInvalid, 1)
	})
	r.call(http.MethodGet, path, nil, &s)
	if s.State != "running" || s.Phase != "scanning" || s.SecondsLeft == nil || *s.SecondsLeft < 20 || *s.SecondsLeft > 40 || s.Failures["invalid"] != 1 {
		t.Errorf("got %+v", s)
	}
	r.validSweeps(s.ID)
	for range 2 { // cancelling again is no harm
		status(http.StatusOK, http.MethodPost, path+"/cancel", nil)
		if j := r.job(1); j.State != state.JobCancelled || j.Generation != 2 {
			t.Errorf("got job %+v", j)
		}
	}
	s = swept{}
	if code := r.keyed("again", path+"/restart", `{"failed":true}`, &s); code != http.StatusAccepted || s.State != "requested" || s.Generation != 1 || !s.FailedOnly {
		t.Errorf("restart: %d %+v", code, s)
	}
	if code := r.keyed("again", path+"/restart", `{"failed":true}`, &s); code != http.StatusAccepted || s.Generation != 1 {
		t.Errorf("restart, asked again: %d %+v", code, s)
	}
	status(http.StatusBadRequest, http.MethodPost, path+"/restart", map[string]any{"all": true})
	status(http.StatusOK, http.MethodPost, path+"/cancel", nil)
	status(http.StatusNoContent, http.MethodDelete, path, nil)
	for n := 1; n <= 2; n++ {
		if j := r.job(n); len(j.Requesters) != 0 {
			t.Errorf("job %d is still asked for by %+v", n, j.Requesters)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		status(http.StatusNotFound, method, path, nil)
	}
	status(http.StatusNotFound, http.MethodPost, path+"/cancel", nil)
	var page struct{ Sweeps []swept }
	if r.call(http.MethodGet, "/api/v1/sweeps", nil, &page); len(page.Sweeps) != 0 {
		t.Errorf("listed %+v", page.Sweeps)
	}
}

func TestSweepThatIsDoneCannotBeCancelled(t *testing.T) {
	r := newSweepRig(t)
	var s swept
	r.keyed("", "/api/v1/sweeps", `{"rule":"nightly"}`, &s)
	r.setSweep(s.ID, func(s *state.Sweep) { s.Phase = state.SweepDone })
	if res := r.call(http.MethodPost, "/api/v1/sweeps/"+s.ID+"/cancel", nil, nil); res.StatusCode != http.StatusConflict {
		t.Errorf("cancel: %s", res.Status)
	}
}

// A job of a pool that no living worker serves says so wherever it is shown.
func TestJobWithoutAWorkerWaitsForOne(t *testing.T) {
	r := newSweepRig(t)
	r.putPlace(place(1))
	r.putJob(1, state.JobQueued, "")
	if _, err := r.state.Requests.Create(t.Context(), failpoint.PlanRequest, "r1", state.Request{
		ID: "r1", Reference: "hub/acme/app1:latest", State: state.RequestPlanned, Scans: []events.Digest{digest(1)},
	}); err != nil {
		t.Fatal(err)
	}
	var s swept
	r.keyed("", "/api/v1/sweeps", `{"rule":"nightly"}`, &s)
	r.setSweep(s.ID, func(s *state.Sweep) { s.Phase, s.Outstanding = state.SweepScanning, []events.Digest{digest(1)} })
	r.announce(events.ScanQueued, 1, "queued")
	r.shows("?status=3", 1)
	worker := func(name, os, pool string, until time.Duration) {
		t.Helper()
		if _, err := r.state.Workers.Change(t.Context(), failpoint.WorkerSign, name, func(w *state.Worker, _ bool) error {
			*w = state.Worker{Name: name, OS: []string{os}, Pools: []string{events.AnyPool, pool}, Until: time.Now().Add(until)}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	shown := func(want string) {
		t.Helper()
		type waiting struct{ Waiting string }
		var scan struct{ Scans []waiting }
		var page struct{ Images []waiting }
		var image, sweep waiting
		r.call(http.MethodGet, "/api/v1/scans/r1", nil, &scan)
		r.call(http.MethodGet, "/api/v1/images?status=3", nil, &page)
		r.call(http.MethodGet, "/api/v1/images/"+string(digest(1)), nil, &image)
		r.call(http.MethodGet, "/api/v1/sweeps/"+s.ID, nil, &sweep)
		for where, got := range map[string]waiting{"scan": scan.Scans[0], "list": page.Images[0], "image": image, "sweep": sweep} {
			if got.Waiting != want {
				t.Errorf("%s waits for %q, want %q", where, got.Waiting, want)
			}
		}
	}
	shown("no worker")
	worker("windows", "windows", "default", time.Hour)
	worker("elsewhere", platform.OS, "site", time.Hour)
	worker("dead", platform.OS, "default", -time.Second)
	shown("no worker")
	worker("right", platform.OS, "default", time.Hour)
	shown("")
	if got := r.list("?status=3"); len(got.Images) != 1 || got.Images[0].Status != verdict.Pending {
		t.Errorf("got %+v", got)
	}
}

// TestSweepPages goes on behind a sweep that is deleted between two pages.
func TestSweepPages(t *testing.T) {
	r := newSweepRig(t)
	const all = 5
	for range all {
		r.keyed("", "/api/v1/sweeps", `{"rule":"nightly"}`, nil)
	}
	type page struct {
		Sweeps     []swept
		NextCursor string
	}
	var first, rest page
	r.call(http.MethodGet, "/api/v1/sweeps?rule=nightly&limit=2", nil, &first)
	if len(first.Sweeps) != 2 || first.NextCursor == "" {
		t.Fatalf("the first page is %+v, want two sweeps and a cursor", first)
	}
	last := first.Sweeps[1].ID
	r.setSweep(last, func(s *state.Sweep) { s.Phase = state.SweepDone })
	if res := r.call(http.MethodDelete, "/api/v1/sweeps/"+last, nil, nil); res.StatusCode != http.StatusNoContent {
		t.Fatalf("DELETE: %s", res.Status)
	}
	r.call(http.MethodGet, "/api/v1/sweeps?cursor="+url.QueryEscape(first.NextCursor), nil, &rest)
	if len(rest.Sweeps) != all-2 || rest.NextCursor != "" {
		t.Errorf("the second page has %d sweeps and the cursor %q, want %d and none", len(rest.Sweeps), rest.NextCursor, all-2)
	}
	for _, s := range rest.Sweeps {
		if s.ID == first.Sweeps[0].ID || s.ID == last {
			t.Errorf("%s is on both pages", s.ID)
		}
	}
	for _, query := range []string{"limit=0", "limit=x", "cursor=nightly.1", "cursor=1", "state=failed", "rule=a&rule=b"} {
		if res := r.call(http.MethodGet, "/api/v1/sweeps?"+query, nil, nil); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s, want 400", query, res.Status)
		}
	}
}
