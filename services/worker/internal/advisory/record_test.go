package advisory_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

func TestIntervals(t *testing.T) {
	type events [][2]string
	type runs []advisory.Interval
	tests := []struct {
		name   string
		events events
		want   runs
	}{
		{"one", events{{"introduced", "0"}, {"fixed", "2"}}, runs{{To: "2", End: advisory.FixedAt}}},
		{"open", events{{"introduced", "1"}}, runs{{From: "1"}}},
		{
			"unsorted",
			events{{"fixed", "4"}, {"introduced", "3"}, {"fixed", "2"}, {"introduced", "0"}},
			runs{{To: "2", End: advisory.FixedAt}, {From: "3", To: "4", End: advisory.FixedAt}},
		},
		{"second introduction inside", events{{"introduced", "0"}, {"introduced", "1"}, {"fixed", "2"}}, runs{{To: "2", End: advisory.FixedAt}}},
		{"only fixed", events{{"fixed", "2"}}, nil},
		{"limit cuts", events{{"introduced", "0"}, {"limit", "2"}}, runs{{To: "2", End: advisory.LimitAt}}},
		{"limit past the fix", events{{"introduced", "0"}, {"fixed", "2"}, {"limit", "3"}}, runs{{To: "2", End: advisory.FixedAt}}},
		{"limit before the introduction", events{{"introduced", "3"}, {"limit", "2"}}, runs{}},
		{"limit 0", events{{"introduced", "0"}, {"limit", "0"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := advisory.Intervals("npm", tt.events...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(runs(got), tt.want); diff != "" {
				t.Errorf("intervals (-got +want):\n%s", diff)
			}
		})
	}
}

func TestCVE(t *testing.T) {
	for id, want := range map[string]string{
		"CVE-2024-0001": "CVE-2024-0001", "DEBIAN-CVE-2024-12345": "CVE-2024-12345", "UBUNTU-CVE-2024-0001": "CVE-2024-0001",
		"XCVE-2024-0001": "", "CVE-2024-1": "", "CVE-24-0001": "", "CVE-2024-0001-1": "", "CVE-2024-000a": "", "GHSA-1": "", "CVE-": "",
	} {
		if got, _ := advisory.CVE(id); got != want {
			t.Errorf("CVE(%s) = %q, want %q", id, got, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	for ecosystem, want := range map[string]string{
		"npm": "npm", "Debian:12": "Debian:12", "Debian:": "Debian", "Alpine:v3.20": "Alpine:v3.20", "Alpine:3.20.3": "Alpine:v3.20",
		"Alpine:3": "Alpine:v3", "Ubuntu:22.04:LTS": "Ubuntu:22.04", "Ubuntu:25.10": "Ubuntu:25.10",
		"Ubuntu:Pro:18.04:LTS": "Ubuntu:Pro:18.04:LTS", "AlmaLinux:9.4": "AlmaLinux:9", "Rocky Linux:8": "Rocky Linux:8",
		"Azure Linux:3.0": "Azure Linux:3", "Red Hat:rhel_eus:9.2::appstream": "Red Hat:rhel_eus:9.2::appstream",
	} {
		if got := advisory.Canonical(ecosystem); got != want {
			t.Errorf("Canonical(%s) = %q, want %q", ecosystem, got, want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(npm("A-1", day, "x", `"aliases":["CVE-2024-0001"]`, `"severity":[{"type":"CVSS_V2","score":"AV:N/AC:L/Au:N/C:C/I:C/A:C"}]`)))
	f.Add([]byte(`{"id":"A","modified":"2024-01-02T03:04:05Z","affected":[{"package":{"ecosystem":"Debian:12","name":"x"},` +
		`"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"last_affected":"1:1~"},{"limit":"2"}]}],"versions":["1","a"],` +
		`"ecosystem_specific":{"urgency":"low"}}],"database_specific":{"severity":"HIGH"}}`))
	f.Add([]byte(`{"id":"A","modified":"2024-01-02T03:04:05Z","affected":[null,{"package":{"ecosystem":":","name":"x"},"ranges":[{"type":"SEMVER","events":[{}]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, list, err := advisory.ParseRecord(data)
		if err != nil {
			return
		}
		want := append([]advisory.Affected(nil), list...)
		back, list, ok := advisory.Recode(r, list)
		if !ok {
			t.Error("cannot be read again")
		}
		if diff := cmp.Diff(back, r); diff != "" {
			t.Errorf("record (-read +written):\n%s", diff)
		}
		if diff := cmp.Diff(list, want); diff != "" {
			t.Errorf("statements (-read +written):\n%s", diff)
		}
	})
}
