package version_test

import (
	"cmp"
	"strings"
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
		{"PyPI", "1!2.0-rc.3.post4.dev5+cu118.Local_1", true},
		{"PyPI", "2012b", true},
		{"PyPI", "${version}", false},
		{"PyPI", "not-a-version", false},
		{"PyPI", "2019-09-12", false},
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

// TestOrder has chains whose order the ecosystems' own descriptions and tools
// give; "=" stands between equals.
func TestOrder(t *testing.T) {
	for _, tt := range []struct{ ecosystem, chain string }{
		{"npm", "0.9.9 < 1.0.0-alpha < 1.0.0-alpha.1 < 1.0.0-alpha.beta < 1.0.0-beta < 1.0.0-beta.2 < 1.0.0-beta.11 < 1.0.0-rc.1 < 1.0.0 < 1.2.0 < 1.10.0"},
		{"npm", "1.0.0+a = 1.0.0+b = v1.0.0 = 1.0.0"},
		{"Go", "0.0.0-20210101000000-aaaaaaaaaaaa < 0.0.0-20220314234659-1baeb1ce4c0b < 0.1.0 < 2.0.0-pre = 2.0.0-pre+incompatible"},
		{"Debian:12", "1.0~~ < 1.0~ < 1.0~bpo12+1 < 1.0 < 1.0-0.1 < 1.0-1~deb12u1 < 1.0-1 < 1.0-1+deb12u1 < 1.0a < 1.0+b1 < 1.0.1 < 1:0.1"},
		{"Debian:12", "1.0 = 0:1.0 = 1.0-0 = 01.00"},
		{"Alpine:v3.20", "0.1.0_alpha_pre2 < 0.1.0_alpha < 0.1.0_alpha2 < 0.1.3_alpha < 0.12 < 0.12.3 < 1.0.4-r3 < 1.0.4-r10"},
		{"Alpine:v3.20", "1.1_alpha1 < 1.1_beta1 < 1.1_pre1 < 1.1_rc1 < 1.1 < 1.1_p1 < 1.1_p10 < 1.1a < 1.1a-r1 < 1.1.1-r1"},
		{"Alpine:v3.20", "0.9.8c-r1 < 0.9.8d < 3.0.20060720 < 087-r1 < 103 < 20060720"},
		{"Alpine:v3.20", "1.0.0_pre20191002222144-r0 < 1.0.0_pre20210530193627-r0 < 1.0.0"},
		{"Rocky Linux:9", "1.0~rc1 < 1.0 < 1.0^git1 < 1.0a < 1.0.1 < 1.0.1-1.el9 < 1.0.1-1.el9_2 < 1.0.1-10.el9 < 1:0.1-1"},
		{"Rocky Linux:9", "0:1.0-1 = 1.0-1 = 1.0-01 = 1.0-1."},
		{"PyPI", "1.0.dev1 < 1.0a1 < 1.0b2 < 1.0rc1 < 1.0 < 1.0+local < 1.0.post1 < 1.1.dev1 < 1!0.1"},
		{"PyPI", "1 = 1.0 = 1.0.0 = v1.0"},
		{"PyPI", "1.0a1 = 1.0alpha1 = 1.0-a.1"},
		{"Maven", "1.0-alpha-1 < 1.0-beta-1 < 1.0-M1 < 1.0-rc1 < 1.0-SNAPSHOT < 1.0 < 1.0-sp < 1.0-jre < 1.0.1"},
		{"Maven", "1 = 1.0 = 1.0.0 = 1.0-ga = 1.0.Final = 1.0-release"},
		{"RubyGems", "1.0.a < 1.0.b1 < 1.0.rc1 < 1.0 < 1.0.1 < 1.0.10"},
		{"NuGet", "1.0.0-alpha < 1.0.0-Beta < 1.0.0 < 1.0.0.1 < 1.0.1"},
		{"NuGet", "1.0 = 1.0.0 = 1.0.0.0 = 1.0.0+build"},
		{"Packagist", "1.0.0-dev < 1.0.0-alpha1 < 1.0.0-beta1 < 1.0.0-RC1 < 1.0.0 < 1.0.0-p1 < 1.0.1"},
		{"CRAN", "0.9 < 1.0-1 = 1.0.1 < 1.0.2 < 1.0.10"},
		{"Hex", "1.0.0-rc.0 < 1.0.0 < 1.0.1"},
	} {
		checkChain(t, version.SchemeOf(tt.ecosystem), strings.Fields(tt.chain))
	}
}

func checkChain(t *testing.T, scheme version.Scheme, chain []string) {
	t.Helper()
	for i := 0; i+2 < len(chain); i += 2 {
		a, errA := version.Parse(scheme, chain[i])
		b, errB := version.Parse(scheme, chain[i+2])
		if errA != nil || errB != nil {
			t.Errorf("%s: %v, %v", scheme, errA, errB)
			continue
		}
		order, err := a.Compare(b)
		back, errBack := b.Compare(a)
		if want := map[string]int{"<": -1, "=": 0}[chain[i+1]]; err != nil || errBack != nil || cmp.Compare(order, 0) != want || cmp.Compare(back, 0) != -want {
			t.Errorf("%s: %s %s %s: got %d, back %d", scheme, chain[i], chain[i+1], chain[i+2], order, back)
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

// FuzzTotal holds three versions of a scheme that has a total order against each
// other: what is read of a database relies on it.
func FuzzTotal(f *testing.F) {
	f.Add("Debian", "1:1.0-1~", "1.0", "1.0+b1")
	f.Add("Red Hat", "1.0^1", "1.0~", "1:0-1.el9")
	f.Add("PyPI", "1.0.dev1+a", "1!1", "1.0.post1")
	f.Add("RubyGems", "1.0.a", "1.0-1", "01")
	f.Add("NuGet", "1.0-B", "1.0-a.1", "1.0.0.1")
	f.Add("npm", "1.0.0-rc.1", "v2", "1.0.0-1")
	f.Fuzz(func(t *testing.T, ecosystem, a, b, c string) {
		scheme := version.SchemeOf(ecosystem)
		if !scheme.Total() {
			return
		}
		versions := make([]version.Version, 3)
		for i, s := range []string{a, b, c} {
			var err error
			if versions[i], err = version.Parse(scheme, s); err != nil {
				return
			}
		}
		ab, errAB := versions[0].Compare(versions[1])
		bc, errBC := versions[1].Compare(versions[2])
		ac, errAC := versions[0].Compare(versions[2])
		if err := cmp.Or(errAB, errBC, errAC); err != nil {
			t.Fatal(err)
		}
		if ab <= 0 && bc <= 0 && (ac > 0 || ac == 0 && (ab < 0 || bc < 0)) {
			t.Errorf("%s: %q to %q %d, to %q %d, but %d", scheme, a, b, ab, c, bc, ac)
		}
	})
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
