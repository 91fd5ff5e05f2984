package worker

import (
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

func TestPushBecomesReport(t *testing.T) {
	r := newRig(t)
	export := advisories(t, "CVE-2026-0001", "1:1.3-1")
	r.work(func(c *Config) { c.Advisories = export })
	img := image(t, zlib(t, "1:1.2.13-1"), files(t, map[string]string{"app/readme": "hello"}))
	d := r.push("team/app:1.0", img)
	r.pushed("team/app", "1.0", d)
	r.jobEnds(d, state.JobDone)
	r.until("the verdict is current", r.current(d))
	report := r.report(d)
	if report.Status != verdict.Completed || !report.Completeness.Complete || len(report.Findings) != 1 {
		t.Fatalf("got status %d, completeness %+v, findings %+v", report.Status, report.Completeness, report.Findings)
	}
	f := report.Findings[0]
	if f.ID != "CVE-2026-0001" || f.FixedVersion != "1:1.3-1" || f.Layer.Index != 0 || f.Layer.CreatedBy != "step 0" {
		t.Errorf("got finding %+v", f)
	}
}
