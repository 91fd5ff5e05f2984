package landwaiter

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

func TestGate(t *testing.T) {
	complete := verdict.Report{
		Status: verdict.Completed, Database: verdict.Database{Version: "sha256:1"}, Completeness: verdict.Completeness{Complete: true},
	}
	with := func(change func(*verdict.Report), severities ...verdict.Severity) verdict.Report {
		r := complete
		for _, s := range severities {
			r.Findings = append(r.Findings, verdict.Finding{Severity: s})
		}
		if change != nil {
			change(&r)
		}
		return r
	}
	incomplete := func(r *verdict.Report) { r.Completeness.Complete = false }
	nothing := func(r *verdict.Report) { r.Status, r.Database = verdict.Scanned, verdict.Database{} }
	failed := func(r *verdict.Report) { r.Status, r.Error = verdict.Failed, "the layer is corrupt" }
	for _, tt := range []struct {
		name    string
		failOn  verdict.Severity
		reports []verdict.Report
		want    int
		says    string
	}{
		{"nothing asked, findings", "", []verdict.Report{with(nil, verdict.Critical)}, 0, ""},
		{"nothing asked, failed", "", []verdict.Report{with(failed)}, 1, "corrupt"},
		{"clean", verdict.Low, []verdict.Report{complete}, 0, ""},
		{"below", verdict.High, []verdict.Report{with(nil, verdict.Medium)}, 0, ""},
		{"at", verdict.Medium, []verdict.Report{with(nil, verdict.Medium)}, 2, "medium or worse"},
		{"above", verdict.Low, []verdict.Report{with(nil, verdict.Critical)}, 2, "low or worse"},
		{"incomplete", verdict.High, []verdict.Report{with(incomplete)}, 3, "not complete"},
		{"incomplete and above", verdict.High, []verdict.Report{with(incomplete, verdict.High)}, 2, ""},
		{"no database", verdict.High, []verdict.Report{with(nothing)}, 3, "no advisory database"},
		{"unrated", verdict.High, []verdict.Report{with(nil, verdict.Unknown)}, 3, "no severity"},
		{"failed", verdict.High, []verdict.Report{with(failed)}, 1, "corrupt"},
		{"failed, but an older report is above", verdict.High, []verdict.Report{with(failed, verdict.High)}, 2, ""},
		{"one of two unknown", verdict.High, []verdict.Report{complete, with(nothing)}, 3, ""},
		{"unknown, then above", verdict.High, []verdict.Report{with(nothing), with(nil, verdict.High)}, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var said bytes.Buffer
			got := 0
			var e exit
			if err := gate(Env{Stderr: &said}, tt.failOn, tt.reports); errors.As(err, &e) {
				got = e.code
			}
			if got != tt.want || !strings.Contains(said.String(), tt.says) {
				t.Errorf("code %d, want %d; said %q, want %q", got, tt.want, said.String(), tt.says)
			}
		})
	}
}
