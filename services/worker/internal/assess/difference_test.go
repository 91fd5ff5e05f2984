package assess_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
)

func report(inventory string, findings ...verdict.Finding) verdict.Report {
	return verdict.Report{Inventory: inventory, Findings: findings}
}

func finding(id, severity, fixed string, aliases ...string) verdict.Finding {
	return verdict.Finding{ID: id, Aliases: aliases, Package: "pkg:npm/x@1", Severity: verdict.Severity(severity), FixedVersion: fixed}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	change := func(id, severity, fixed string, was ...string) events.Change {
		c := events.Change{ID: id, Package: "pkg:npm/x@1", Severity: severity, FixedVersion: fixed}
		if was != nil {
			c.Was = &events.Was{ID: was[0], Severity: was[1], FixedVersion: was[2]}
		}
		return c
	}
	a := finding("CVE-1", "high", "2")
	before := report("i1", a, a, finding("GHSA-2", "low", ""))
	elsewhere := finding("CVE-1", "high", "2")
	elsewhere.Package = "pkg:npm/y@1"
	scored := a
	scored.EPSS, scored.Layer.Index = &verdict.EPSS{Score: 0.5}, 3
	tests := []struct {
		name   string
		before *verdict.Report
		after  verdict.Report
		want   events.FindingsChanged
	}{
		{
			"first verdict", nil, before,
			events.FindingsChanged{
				Cause: events.CausePush, Counts: events.ChangeCounts{Added: 2},
				Added: []events.Change{change("CVE-1", "high", "2"), change("GHSA-2", "low", "")},
			},
		},
		{"nothing", &before, before, events.FindingsChanged{Cause: events.CauseDatabase}},
		{
			"score and layer are not told", &before, report("i1", scored, finding("GHSA-2", "low", "")),
			events.FindingsChanged{Cause: events.CauseDatabase},
		},
		{
			"rated otherwise, fixed otherwise", &before, report("i1", finding("CVE-1", "low", "3"), finding("GHSA-2", "low", "9")),
			events.FindingsChanged{
				Cause: events.CauseDatabase, Counts: events.ChangeCounts{Changed: 2},
				Changed: []events.Change{change("CVE-1", "low", "3", "CVE-1", "high", "2"), change("GHSA-2", "low", "9", "GHSA-2", "low", "")},
			},
		},
		{
			"a CVE was given", &before, report("i1", a, finding("CVE-2", "low", "", "GHSA-2")),
			events.FindingsChanged{
				Cause: events.CauseDatabase, Counts: events.ChangeCounts{Changed: 1},
				Changed: []events.Change{change("CVE-2", "low", "", "GHSA-2", "low", "")},
			},
		},
		{
			"an alias that is a finding of its own", &before, report("i1", a, finding("GHSA-2", "low", ""), finding("CVE-2", "low", "", "GHSA-2")),
			events.FindingsChanged{
				Cause: events.CauseDatabase, Counts: events.ChangeCounts{Added: 1}, Added: []events.Change{change("CVE-2", "low", "")},
			},
		},
		{
			"another package, by another inventory", &before, report("i2", elsewhere),
			events.FindingsChanged{
				Cause: events.CauseEngine, Counts: events.ChangeCounts{Added: 1, Removed: 2},
				Added:   []events.Change{{ID: "CVE-1", Package: "pkg:npm/y@1", Severity: "high", FixedVersion: "2"}},
				Removed: []events.Change{change("CVE-1", "high", "2"), change("GHSA-2", "low", "")},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, assess.Difference(tt.before, tt.after)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// However much changes, the event stays small and says how much it was.
func TestDifferenceIsBounded(t *testing.T) {
	t.Parallel()
	for _, length := range []int{20, 5000} {
		var before, after verdict.Report
		for i := range 5000 {
			before.Findings = append(before.Findings, finding(fmt.Sprintf("CVE-%d", i), "high", strings.Repeat("1", length)))
			after.Findings = append(after.Findings, finding(fmt.Sprintf("CVE-%d", i+3000), "low", strings.Repeat("2", length)))
		}
		diff := assess.Difference(&before, after)
		raw, err := json.Marshal(diff)
		if want := (events.ChangeCounts{Added: 3000, Removed: 3000, Changed: 2000}); err != nil || diff.Counts != want || len(raw) > 100<<10 {
			t.Errorf("counts %+v in %d bytes, %v", diff.Counts, len(raw), err)
		}
		if len(diff.Added)+len(diff.Changed)+len(diff.Removed) == 0 {
			t.Error("nothing is listed")
		}
	}
}
