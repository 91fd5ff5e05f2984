package harness

import (
	"os"
	"slices"
	"testing"
)

func TestWithin(t *testing.T) {
	tests := []struct {
		name    string
		version string
		events  []map[string]string
		want    bool
		fixed   string
	}{
		{"before the fix", "1.0-1", []map[string]string{{"introduced": "0"}, {"fixed": "1.0-2"}}, true, "1.0-2"},
		{"the fix", "1.0-2", []map[string]string{{"introduced": "0"}, {"fixed": "1.0-2"}}, false, ""},
		{"a tilde is before", "1.0-2~deb12u1", []map[string]string{{"introduced": "0"}, {"fixed": "1.0-2"}}, true, "1.0-2"},
		{"an epoch is after", "1:0.1", []map[string]string{{"introduced": "0"}, {"fixed": "9"}}, false, ""},
		{"never fixed", "1", []map[string]string{{"introduced": "0"}}, true, ""},
		{"last affected", "2", []map[string]string{{"introduced": "1"}, {"last_affected": "2"}}, true, ""},
		{"after the last affected", "3", []map[string]string{{"introduced": "1"}, {"last_affected": "2"}}, false, ""},
		{"came back", "5", []map[string]string{{"introduced": "0"}, {"fixed": "2"}, {"introduced": "4"}, {"fixed": "6"}}, true, "6"},
	}
	d := dpkg{path: installed(t, "dpkg", "dpkg"), known: map[string]bool{}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := d.within(t, test.version, test.events)
			if got != test.want {
				t.Fatalf("within: got %v, want %v", got, test.want)
			}
			if fixed := firstFixed(t, d, test.version, test.events); got && fixed != test.fixed {
				t.Errorf("fixed: got %q, want %q", fixed, test.fixed)
			}
		})
	}
}

func TestDebianHasKnownVulnerabilities(t *testing.T) {
	EndToEnd(t)
	advisories := os.Getenv("LANDWAITER_ADVISORIES")
	if advisories == "" {
		t.Skip("set LANDWAITER_ADVISORIES to a folder in OSV export layout")
	}
	found := Debian(t, "curl", "libexpat1").Vulnerable(t, advisories)
	t.Logf("%d findings", len(found))
	expat := func(v Vulnerable) bool {
		return v.ID == "DEBIAN-CVE-2024-28757" && v.Package.Name == "libexpat1" && v.Fixed != "" && slices.Contains(v.CVEs, "CVE-2024-28757")
	}
	if !slices.ContainsFunc(found, expat) {
		t.Error("expat's CVE-2024-28757 is missing")
	}
}
