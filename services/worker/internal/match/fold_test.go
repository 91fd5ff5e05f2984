package match_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

const (
	critical31 = `{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}` // 9.8
	low31      = `{"type":"CVSS_V3","score":"CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}` // 1.8
	v40        = `{"type":"CVSS_V4","score":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}`
	v2         = `{"type":"CVSS_V2","score":"AV:N/AC:L/Au:N/C:C/I:C/A:C"}`
)

// brief is what these tests compare of a finding.
type brief struct {
	ID, Severity, Source, Fixed, CVSS string
	Aliases, Advisories               []string
}

func briefs(findings []verdict.Finding) []brief {
	var out []brief
	for _, f := range findings {
		b := brief{
			ID: f.ID, Severity: string(f.Severity), Source: f.SeveritySource, Fixed: f.FixedVersion,
			Aliases: f.Aliases, Advisories: f.Advisories,
		}
		if f.CVSS != nil {
			b.CVSS = f.CVSS.Version
		}
		out = append(out, b)
	}
	return out
}

func TestMatchFolds(t *testing.T) {
	deb := statement("Debian:12", "x", "ECOSYSTEM", "introduced 0, fixed 2")
	npm := statement("npm", "x", "SEMVER", "introduced 0, fixed 2.0.0")
	alma := statement("AlmaLinux:9", "x", "ECOSYSTEM", "introduced 0, fixed 2-1.el9")
	tests := []struct {
		name      string
		ecosystem string
		records   []string
		want      []brief
	}{
		{
			"aliases are one", "npm",
			[]string{
				record("GHSA-1", npm, `"aliases":["CVE-2024-0001"]`, `"severity":[`+critical31+`]`),
				record("PYSEC-1", statement("npm", "x", "SEMVER", "introduced 0, fixed 3.0.0"), `"aliases":["CVE-2024-0001","GHSA-1"]`),
			},
			[]brief{{
				ID: "CVE-2024-0001", Severity: "critical", Source: "GHSA-1: CVSS 3.1", Fixed: "3.0.0", CVSS: "3.1",
				Aliases: []string{"GHSA-1", "PYSEC-1"}, Advisories: []string{"GHSA-1", "PYSEC-1"},
			}},
		},
		{
			"aliases without CVE", "npm",
			[]string{record("GHSA-1", npm), record("RUSTSEC-1", npm, `"aliases":["GHSA-1"]`)},
			[]brief{{ID: "GHSA-1", Severity: "unknown", Fixed: "2.0.0", Aliases: []string{"RUSTSEC-1"}, Advisories: []string{"GHSA-1", "RUSTSEC-1"}}},
		},
		{
			"the oldest of several CVEs of one flaw", "npm",
			[]string{record("GHSA-1", npm, `"aliases":["CVE-2024-10000","CVE-2024-9000"]`)},
			[]brief{{ID: "CVE-2024-9000", Severity: "unknown", Fixed: "2.0.0", Aliases: []string{"CVE-2024-10000", "GHSA-1"}, Advisories: []string{"GHSA-1"}}},
		},
		{
			"related is not the same", "npm",
			[]string{record("GHSA-1", npm, `"related":["CVE-2024-0001"]`), record("GHSA-2", npm, `"aliases":["CVE-2024-0001"]`)},
			[]brief{
				{ID: "CVE-2024-0001", Severity: "unknown", Fixed: "2.0.0", Aliases: []string{"GHSA-2"}, Advisories: []string{"GHSA-2"}},
				{ID: "GHSA-1", Severity: "unknown", Fixed: "2.0.0", Aliases: []string{}, Advisories: []string{"GHSA-1"}},
			},
		},
		{
			"an advisory about two CVEs", "Debian:12",
			[]string{
				record("DSA-1-1", deb, `"upstream":["DEBIAN-CVE-2024-0001","CVE-2024-0001","CVE-2024-0002"]`),
				record("DEBIAN-CVE-2024-0001", statement("Debian:12", "x", "ECOSYSTEM", "introduced 0, fixed 2.1"), `"upstream":["CVE-2024-0001"]`),
			},
			[]brief{
				{
					ID: "CVE-2024-0001", Severity: "unknown", Fixed: "2.1",
					Aliases: []string{"DEBIAN-CVE-2024-0001"}, Advisories: []string{"DEBIAN-CVE-2024-0001", "DSA-1-1"},
				},
				{ID: "CVE-2024-0002", Severity: "unknown", Fixed: "2", Aliases: []string{}, Advisories: []string{"DSA-1-1"}},
			},
		},
		{
			"AlmaLinux has its CVEs in related", "AlmaLinux:9",
			[]string{record("ALSA-2024:1", alma, `"related":["CVE-2024-0001"]`, `"summary":"Important: x security update"`)},
			[]brief{{
				ID: "CVE-2024-0001", Severity: "high", Source: "ALSA-2024:1: summary important", Fixed: "2-1.el9",
				Aliases: []string{"ALSA-2024:1"}, Advisories: []string{"ALSA-2024:1"},
			}},
		},
		{
			"related counts only without upstream", "AlmaLinux:9",
			[]string{record("ALSA-2024:1", alma, `"upstream":["CVE-2024-0001"]`, `"related":["CVE-2024-0009"]`)},
			[]brief{{ID: "CVE-2024-0001", Severity: "unknown", Fixed: "2-1.el9", Aliases: []string{"ALSA-2024:1"}, Advisories: []string{"ALSA-2024:1"}}},
		},
		{
			"a fix that is called affected is none, unless all are", "npm",
			[]string{record("A-1", npm, `"aliases":["CVE-2024-0001"]`), record("A-2", statement("npm", "x", "SEMVER", "introduced 0"), `"aliases":["CVE-2024-0001"]`)},
			[]brief{{ID: "CVE-2024-0001", Severity: "unknown", Fixed: "2.0.0", Aliases: []string{"A-1", "A-2"}, Advisories: []string{"A-1", "A-2"}}},
		},
		{
			"a withdrawn record is void", "npm",
			[]string{record("A-1", npm, `"withdrawn":"2024-01-01T00:00:00Z"`), record("A-2", statement("npm", "y", "SEMVER", "introduced 0"))},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			version := map[string]string{"Debian:12": "1", "npm": "1.0.0", "AlmaLinux:9": "1-1.el9"}[tt.ecosystem]
			got, notes := match.Match(database(t, tt.records...),
				inventory.Image{Packages: []inventory.Package{{Type: "t", Name: "x", Version: version, Ecosystem: tt.ecosystem}}})
			if len(notes) > 0 {
				t.Errorf("notes = %v", notes)
			}
			if diff := cmp.Diff(briefs(got), tt.want); diff != "" {
				t.Errorf("findings (-got +want):\n%s", diff)
			}
		})
	}
}

func TestMatchSeverity(t *testing.T) {
	deb := statement("Debian:12", "x", "ECOSYSTEM", "introduced 0")
	urgency := func(word string) string {
		return statement("Debian:12", "x", "ECOSYSTEM", "introduced 0", `"ecosystem_specific":{"urgency":"`+word+`"}`)
	}
	npm := statement("npm", "x", "SEMVER", "introduced 0")
	other := statement("npm", "other", "SEMVER", "introduced 0")
	tests := []struct {
		name                   string
		records                []string
		severity, source, cvss string
	}{
		{"newest CVSS version", []string{record("A-1", npm, `"severity":[`+low31+`,`+v40+`,`+v2+`]`)}, "critical", "A-1: CVSS 4.0", "4.0"},
		{"version 2 has no critical", []string{record("A-1", npm, `"severity":[`+v2+`]`)}, "high", "A-1: CVSS 2.0", "2.0"},
		{"of the statement", []string{record("A-1", statement("npm", "x", "SEMVER", "introduced 0", `"severity":[`+low31+`]`))}, "low", "A-1: CVSS 3.1", "3.1"},
		{"invalid vector", []string{record("A-1", npm, `"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:X"}]`, `"database_specific":{"severity":"MODERATE"}`)}, "medium", "A-1: severity moderate", ""},
		{"of an alias about another package", []string{record("A-1", npm, `"aliases":["CVE-2024-0001"]`), record("A-2", other, `"aliases":["CVE-2024-0001"]`, `"severity":[`+low31+`]`)}, "low", "A-2: CVSS 3.1", "3.1"},
		{"of an alias without CVE", []string{record("A-1", npm, `"aliases":["A-2"]`), record("A-2", other, `"severity":[`+low31+`]`)}, "low", "A-2: CVSS 3.1", "3.1"},
		{"own before an alias", []string{record("A-1", npm, `"aliases":["CVE-2024-0001"]`, `"severity":[`+low31+`]`), record("A-2", other, `"aliases":["CVE-2024-0001"]`, `"severity":[`+critical31+`]`)}, "low", "A-1: CVSS 3.1", "3.1"},
		{"word of an alias", []string{record("A-1", npm, `"aliases":["CVE-2024-0001"]`), record("A-2", other, `"aliases":["CVE-2024-0001"]`, `"database_specific":{"severity":"HIGH"}`)}, "high", "A-2: severity high", ""},
		{"upstream", []string{record("DEBIAN-CVE-2024-0001", deb, `"upstream":["CVE-2024-0001"]`), record("A-2", other, `"aliases":["CVE-2024-0001"]`, `"severity":[`+low31+`]`)}, "low", "A-2: CVSS 3.1", "3.1"},
		{"vector before urgency", []string{record("DEBIAN-CVE-2024-0001", urgency("low"), `"severity":[`+critical31+`]`)}, "critical", "DEBIAN-CVE-2024-0001: CVSS 3.1", "3.1"},
		{"unimportant before vector", []string{record("DEBIAN-CVE-2024-0001", urgency("unimportant"), `"severity":[`+critical31+`]`)}, "negligible", "DEBIAN-CVE-2024-0001: urgency unimportant", "3.1"},
		{"urgency", []string{record("DEBIAN-CVE-2024-0001", urgency("medium"))}, "medium", "DEBIAN-CVE-2024-0001: urgency medium", ""},
		{"no urgency yet", []string{record("DEBIAN-CVE-2024-0001", urgency("not yet assigned"))}, "unknown", "", ""},
		{"Ubuntu priority", []string{record("UBUNTU-CVE-2024-0001", statement("npm", "x", "SEMVER", "introduced 0"), `"severity":[{"type":"Ubuntu","score":"negligible"}]`)}, "negligible", "UBUNTU-CVE-2024-0001: priority negligible", ""},
		{"old Ubuntu priority", []string{record("U-1", statement("npm", "x", "SEMVER", "introduced 0", `"ecosystem_specific":{"ubuntu_priority":"medium"}`))}, "medium", "U-1: priority medium", ""},
		{"malicious", []string{record("MAL-2024-1", npm)}, "critical", "MAL-2024-1: malicious package", ""},
		{"informational", []string{record("RUSTSEC-1", statement("npm", "x", "SEMVER", "introduced 0", `"database_specific":{"informational":"unmaintained"}`))}, "negligible", "RUSTSEC-1: informational unmaintained", ""},
		{"nobody rated it", []string{record("A-1", npm)}, "unknown", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db := database(t, tt.records...)
			got, _ := match.Match(db, inventory.Image{Packages: []inventory.Package{
				{Type: "t", Name: "x", Version: "1.0.0", Ecosystem: "npm"}, {Type: "t", Name: "x", Version: "1.0.0", Ecosystem: "Debian:12"},
			}})
			if len(got) != 1 {
				t.Fatalf("findings = %v, want one", got)
			}
			b := briefs(got)[0]
			if b.Severity != tt.severity || b.Source != tt.source || b.CVSS != tt.cvss {
				t.Errorf("severity = %s (%s), CVSS %q, want %s (%s), CVSS %q", b.Severity, b.Source, b.CVSS, tt.severity, tt.source, tt.cvss)
			}
		})
	}
}
