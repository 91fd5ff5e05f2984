package report_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// TestReportComesInManyForms asks for each form by name and by media type, of
// an image that was scanned and of one whose scan failed.
func TestReportComesInManyForms(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.putPlace(place(1))
	r.putReport(1, sample(1))
	r.putPlace(place(2))
	r.putJob(2, state.JobFailed, "registry refused")
	r.start()
	r.shows("", 2)
	for _, tt := range []struct{ format, accept, kind, scanned, failed string }{
		{"", "", "application/json", `"CVE-2026-0001"`, `"scan-failed"`},
		{"json", "text/csv", "application/json", `"CVE-2026-0001"`, `"scan-failed"`},
		{"csv", "", "text/csv; charset=utf-8", "CVE-2026-0001,high,libssl3", "scan-failed: "},
		{"", "text/csv", "text/csv; charset=utf-8", "CVE-2026-0001,high,libssl3", "scan-failed: "},
		{"sarif", "", "application/sarif+json", `"ruleId": "CVE-2026-0001"`, `"executionSuccessful": false`},
		{"", "application/sarif+json", "application/sarif+json", `"executionSuccessful": true`, `"scan-failed"`},
		{"cyclonedx", "", "application/vnd.cyclonedx+json", `"aggregate": "complete"`, `"aggregate": "incomplete"`},
		{"", "application/spdx+json, */*;q=0.1", "application/spdx+json", "Everything in the image was looked at", "Incomplete"},
	} {
		for n, want := range map[int]string{1: tt.scanned, 2: tt.failed} {
			kind, body := r.form(n, tt.format, tt.accept)
			if kind != tt.kind || !strings.Contains(body, want) {
				t.Errorf("format %q, Accept %q: %s without %q:\n%.500s", tt.format, tt.accept, kind, want, body)
			}
		}
	}
}

// form asks for the report of image n.
func (r *rig) form(n int, format, accept string) (kind, body string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.url+"/api/v1/reports/"+string(digest(n))+"?format="+format, nil)
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return res.Header.Get("Content-Type"), string(raw)
}
