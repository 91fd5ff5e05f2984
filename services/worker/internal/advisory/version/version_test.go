package version_test

import (
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

func TestParse(t *testing.T) {
	tests := []struct {
		ecosystem, version string
		ok                 bool
	}{
		{"npm", "1.2.3", true},
		{"npm", "v1.2.3-rc.1+build", true},
		{"npm", "latest", false},
		{"npm", "", false},
		{"npm", "1.0.0 ", false},
		{"npm", "workspace:*", false},
		{"Go", "0.0.0-20220314234659-1baeb1ce4c0b", true},
		{"Debian:12", "1:2.0-1~deb12u1", true},
		{"Debian:12", "1:a:b", true},
		{"Debian:12", "a:1", false},
		{"Debian:12", ":1", false},
		{"Debian:12", "<unfixed>", false},
		{"Ubuntu:22.04", "2.0-0ubuntu1", true},
		{"Alpine:v3.20", "1.2.3_p1-r0", true},
		{"Alpine:v3.20", "r0", false},
		{"Rocky Linux:9", "1:2.0-1.el9", true},
		{"SUSE:x", "2.0-150400.3.1", true},
		{"PyPI", "1.0.dev1", true},
		{"PyPI", "${version}", false},
		{"Maven", "Finchley.SR2", true},
		{"Maven", "${project.version}", false},
		{"Nonsense", "1.0", false},
	}
	for _, tt := range tests {
		if _, err := version.Parse(version.SchemeOf(tt.ecosystem), tt.version); (err == nil) != tt.ok {
			t.Errorf("Parse(%s, %q): %v, want ok %v", tt.ecosystem, tt.version, err, tt.ok)
		}
	}
}

func TestCompareOfDifferentSchemes(t *testing.T) {
	a, errA := version.Parse("Debian", "1")
	b, errB := version.Parse(version.Semver, "1")
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if _, err := a.Compare(b); err == nil {
		t.Error("no error")
	}
	if _, err := a.Compare(version.Version{}); err == nil {
		t.Error("no error for an empty version")
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("Debian", "1:1.0-1~", "1.0")
	f.Add("Alpine", "1.2.3_p1-r0", "1.2.3a")
	f.Add("PyPI", "1.0.dev1+a", "1!1")
	f.Add("Maven", "1-SNAPSHOT", "1.0.0.RC1")
	f.Add("npm", "1.0.0-rc.1", "v2")
	f.Fuzz(func(t *testing.T, ecosystem, a, b string) {
		scheme := version.SchemeOf(ecosystem)
		va, errA := version.Parse(scheme, a)
		vb, errB := version.Parse(scheme, b)
		if errA != nil || errB != nil {
			return
		}
		ab, errA := va.Compare(vb)
		ba, errB := vb.Compare(va)
		if errA == nil && errB == nil && ecosystem != "Maven" && (ab < 0) != (ba > 0) {
			t.Errorf("%s: %q to %q is %d, back %d", scheme, a, b, ab, ba)
		}
	})
}
