package report_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

type shownAdvisories struct {
	Database *struct {
		Version string
		Records int
	}
	Update struct {
		SucceededAt, AskedAt time.Time
		Condition            *struct {
			Error string
			Count int
		}
	}
	Replicas []struct{ Name, Version, Database string }
}

func TestAdvisories(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.start()
	show := func() (a shownAdvisories) {
		t.Helper()
		if res := r.call(http.MethodGet, "/api/v1/advisories", nil, &a); res.StatusCode != http.StatusOK {
			t.Fatalf("GET: %s", res.Status)
		}
		return a
	}
	if a := show(); a.Database != nil || a.Update.Condition != nil || len(a.Replicas) != 0 {
		t.Errorf("without any: %+v", a)
	}
	if res := r.call(http.MethodPost, "/api/v1/advisories/update", nil, nil); res.StatusCode != http.StatusAccepted {
		t.Errorf("POST: %s", res.Status)
	}
	now := time.Now()
	_, err := r.state.Databases.Create(r.Context(), failpoint.AdvisoryRecord, state.CurrentDatabase, state.Database{Version: "v1", Records: 7})
	if err == nil {
		_, err = r.state.Replicas.Create(r.Context(), failpoint.AdvisoryReplica, "worker-1", state.Replica{
			Worker: "worker-1", Version: "landwaiter/dev", Database: "v1", LastAt: now,
		})
	}
	if err == nil {
		_, err = r.state.Refreshes.Change(r.Context(), failpoint.AdvisoryUpdate, state.AdvisoryRefresh, func(u *state.Refresh, _ bool) error {
			u.Condition = state.Failure{Error: "the source answered 503", Since: now, LastAt: now, Count: 2}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	a := show()
	if a.Database == nil || a.Database.Version != "v1" || a.Database.Records != 7 || a.Update.AskedAt.IsZero() ||
		a.Update.Condition == nil || a.Update.Condition.Count != 2 || len(a.Replicas) != 1 || a.Replicas[0].Database != "v1" {
		t.Errorf("got %+v", a)
	}
}

// A verdict that a new database left as it is was not projected again; that it
// holds for it stands in its record, and is shown.
func TestAdvancedVerdictsAreShownWithTheirDatabase(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.putPlace(place(1))
	rep := sample(1)
	rep.Inventory = string(digest(201))
	r.putReport(1, rep)
	r.start()
	r.shows("", 1)
	later := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	_, err := r.state.Images.Change(r.Context(), failpoint.RematchAdvance, digest(1).Token(), func(i *state.Image, _ bool) error {
		i.Database, i.DatabaseAt, i.MatchedAt = "db2", later, later
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		MatchedAt time.Time
		Database  struct {
			Version   string
			UpdatedAt time.Time
		}
	}
	r.call(http.MethodGet, "/api/v1/reports/"+string(digest(1)), nil, &report)
	var img struct {
		Database  string
		MatchedAt time.Time
	}
	r.call(http.MethodGet, "/api/v1/images/"+string(digest(1)), nil, &img)
	if report.Database.Version != "db2" || !report.Database.UpdatedAt.Equal(later) || !report.MatchedAt.Equal(later) ||
		img.Database != "db2" || !img.MatchedAt.Equal(later) {
		t.Errorf("report %+v, image %+v", report, img)
	}
}

func TestFindingsAreSorted(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.putPlace(place(1))
	rep := sample(1)
	finding := func(id string, epss *verdict.EPSS, kev bool) verdict.Finding {
		f := rep.Findings[0]
		f.ID, f.EPSS, f.KEV = id, epss, kev
		return f
	}
	rep.Findings = []verdict.Finding{
		finding("none", nil, false), finding("low", &verdict.EPSS{Score: 0.1}, true), finding("high", &verdict.EPSS{Score: 0.9}, false),
	}
	r.putReport(1, rep)
	r.start()
	r.shows("", 1)
	for by, want := range map[string]string{"": "none low high", "severity": "none low high", "epss": "high low none", "kev": "low high none"} {
		var got verdict.Report
		r.call(http.MethodGet, "/api/v1/reports/"+string(digest(1))+"?sort="+by, nil, &got)
		var ids []string
		for _, f := range got.Findings {
			ids = append(ids, f.ID)
		}
		if order := strings.Join(ids, " "); order != want {
			t.Errorf("by %q: %s, want %s", by, order, want)
		}
	}
	if res := r.call(http.MethodGet, "/api/v1/reports/"+string(digest(1))+"?sort=colour", nil, nil); res.StatusCode != http.StatusBadRequest {
		t.Errorf("by colour: %s", res.Status)
	}
}
