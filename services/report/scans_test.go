package report_test

import (
	"net/http"
	"testing"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

func TestScanIsRequestedAndCancelled(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, "hub", state.Managed[config.Registry]{
		Value: config.Registry{Name: "hub", Address: "registry.test"},
	}); err != nil {
		t.Fatal(err)
	}
	r.putPlace(place(1))
	r.start()
	var req struct {
		ID, State, Image string
		Scans            []struct {
			Digest events.Digest
			State  string
			Status verdict.Status
		}
	}
	// Nobody plans here: the answer says so after a while.
	if res := r.call(http.MethodPost, "/api/v1/scans", map[string]any{"image": "registry.test/acme/app1"}, &req); res.StatusCode != http.StatusAccepted {
		t.Fatalf("POST: %s", res.Status)
	}
	if req.State != "planning" || req.Image != "registry.test/acme/app1:latest" {
		t.Errorf("request is %+v", req)
	}
	r.putJob(1, state.JobQueued, "")
	if _, err := r.state.Requests.Create(t.Context(), failpoint.PlanRequest, "r1", state.Request{
		ID: "r1", Reference: "hub/acme/app1:latest", State: state.RequestPlanned, Scans: []events.Digest{digest(1)},
	}); err != nil {
		t.Fatal(err)
	}
	r.call(http.MethodGet, "/api/v1/scans/r1", nil, &req)
	if len(req.Scans) != 1 || req.Scans[0].Status != verdict.Pending {
		t.Errorf("request is %+v", req)
	}
	r.announce(events.ScanQueued, 1, "queued")
	r.shows("?status=3", 1)
	for range 2 { // cancelling again is no harm
		r.call(http.MethodPost, "/api/v1/scans/r1/cancel", nil, &req)
		if req.State != "cancelled" || req.Scans[0].State != "cancelled" || req.Scans[0].Status != verdict.Unscanned {
			t.Errorf("cancelled request is %+v", req)
		}
	}
	// A worker settles the image and tells of it: the API only wakes one.
	job, err := r.state.Jobs.Get(t.Context(), digest(1).Token())
	if err != nil || job.Value.Announced {
		t.Errorf("job is %+v, %v, announced by one who did not settle it", job.Value, err)
	}
	if woken := r.wokenFor(digest(1)); len(woken) == 0 || woken[0].Generation != job.Value.Generation {
		t.Errorf("woken for %+v, want the cancelled generation %d", woken, job.Value.Generation)
	}
	stream, err := r.bus.JetStream().Stream(t.Context(), r.bus.Topology().Stream(events.Results))
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 1 { // scan.queued, of this test
		t.Errorf("%d results were published, want 1", n)
	}
}

func TestScanIsCancelledWhileItIsPlanned(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, "hub", state.Managed[config.Registry]{
		Value: config.Registry{Name: "hub", Address: "registry.test"},
	}); err != nil {
		t.Fatal(err)
	}
	r.start()
	var req struct {
		ID, State, Image string
		Scans            []any
	}
	r.call(http.MethodPost, "/api/v1/scans", map[string]any{"image": "registry.test/acme/app1:v1"}, &req)
	path := "/api/v1/scans/" + req.ID
	if res := r.call(http.MethodGet, path, nil, &req); res.StatusCode != http.StatusOK || req.State != "planning" || req.Scans == nil {
		t.Errorf("GET while it is planned: %s %+v", res.Status, req)
	}
	for range 2 {
		if res := r.call(http.MethodPost, path+"/cancel", nil, &req); res.StatusCode != http.StatusOK || req.State != "cancelled" {
			t.Errorf("cancel while it is planned: %s %+v", res.Status, req)
		}
	}
	if res := r.call(http.MethodPost, "/api/v1/scans/unknown/cancel", nil, nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("cancel of what was never asked for: %s", res.Status)
	}
	if res := r.call(http.MethodGet, "/api/v1/scans/unknown", nil, nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("GET of what was never asked for: %s", res.Status)
	}
}

// wokenFor are the wake-ups of a job so far.
func (r *rig) wokenFor(d events.Digest) []events.ScanRequested {
	r.Helper()
	stream, err := r.bus.JetStream().Stream(r.Context(), r.bus.Topology().Stream(events.Scans))
	if err != nil {
		r.Fatal(err)
	}
	var woken []events.ScanRequested
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(r.Context(), seq)
		if err != nil {
			r.Fatal(err)
		}
		e, err := events.Decode(events.Message{Subject: m.Subject, Header: m.Header, Data: m.Data})
		if err != nil {
			r.Fatal(err)
		}
		if s, ok := e.Data().(events.ScanRequested); ok && s.Digest == d {
			woken = append(woken, s)
		}
	}
	return woken
}
