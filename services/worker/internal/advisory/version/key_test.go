package version_test

import (
	"cmp"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

// TestKeys tells which versions have a key: what has none is compared slowly.
func TestKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ecosystem, versions string
		want                bool
	}{
		{"Debian:12", "1 1:1.0-1~deb12u1 1:a:b_c 1.0- 00001", true},
		{"Rocky Linux:9", "1 :1 1:2.0-1.el9 1.0^git1~ .", true},
		{"npm", "1 1.2 v1.2.3-rc.1+b 0.0.0-20220314234659-1baeb1ce4c0b 1-0", true},
		{"npm", "1.2.3.4 1.2.3rc1 1.2.3- 1.2.3--1 1.2.3-a..b 1..2", false},
		{"PyPI", "1 1.0.0 2024.1", true},
		{"PyPI", "1.0rc1 v1 1!1 1.0+a", false},
		{"RubyGems", "1 1.0.0", true},
		{"RubyGems", "1.a 1-1", false},
		{"NuGet", "1.0.0.1", true},
		{"NuGet", "1.0.0.0.1 1-a v1", false},
		{"Pub", "1.0.0", true},
		{"Pub", "1.0.0+a 1.0.0.1", false},
		{"Maven", "1 1.0.0.0.1", true},
		{"Maven", "1.RC1 1.0-1 1..2", false},
		{"Alpine:v3.20", "1 1.0-r0", false},
		{"Packagist", "1.0", false},
		{"CRAN", "1.0", false},
		{"Hackage", "1.0", false},
	} {
		for text := range strings.FieldsSeq(tt.versions) {
			v, err := version.Parse(version.SchemeOf(tt.ecosystem), text)
			if err != nil || (v.Key() != "") != tt.want {
				t.Errorf("%s %s: key %q, %v, want one %t", tt.ecosystem, text, v.Key(), err, tt.want)
			}
		}
	}
}

// TestKeysOrderAsTheLibrary draws versions of a few parts, so that many of them
// are nearly equal.
func TestKeysOrderAsTheLibrary(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ ecosystem, parts string }{
		{"Debian", "0 1 1: 01 10 . . ~ + - : _ a Z b 9223372036854775808"},
		{"Red Hat", "0 1 1: : 01 10 . . ~ ^ + - _ a Z ab 9223372036854775808"},
		{"npm", "0 1 v 01 10 . . . - + rc a 9223372036854775808"},
		{"PyPI", "0 1 01 10 . . . 9223372036854775808 rc"},
		{"RubyGems", "0 1 01 10 . . . 9223372036854775808 a -"},
		{"NuGet", "0 1 01 10 . . . 9223372036854775808 -a"},
		{"Pub", "0 1 01 10 . . . 9223372036854775808 + -a"},
		{"Maven", "0 1 01 10 . . . 9223372036854775808 -a"},
	} {
		random := rand.New(rand.NewPCG(1, 2))
		parts := strings.Fields(tt.parts)
		draw := func() string {
			var s strings.Builder
			for range 1 + random.IntN(7) {
				s.WriteString(parts[random.IntN(len(parts))])
			}
			return s.String()
		}
		compared := map[int]int{}
		for range 50_000 {
			a, b := draw(), draw()
			if order, ok := checkKeys(t, version.SchemeOf(tt.ecosystem), a, b); ok {
				compared[order]++
			}
		}
		if compared[-1] < 50 || compared[0] < 50 || compared[1] < 50 {
			t.Errorf("%s: %v compared, too few to mean anything", tt.ecosystem, compared)
		}
	}
}

// checkKeys compares two versions by their keys and by the library, if both
// have a key.
func checkKeys(t *testing.T, scheme version.Scheme, a, b string) (order int, ok bool) {
	t.Helper()
	v, errV := version.Parse(scheme, a)
	w, errW := version.Parse(scheme, b)
	if errV != nil || errW != nil || v.Key() == "" || w.Key() == "" {
		return 0, false
	}
	order = strings.Compare(v.Key(), w.Key())
	want, err := version.CompareParsed(v, w)
	if err != nil || order != cmp.Compare(want, 0) {
		t.Errorf("%s: %q to %q is %d by key, by the library %d, %v", scheme, a, b, order, want, err)
	}
	return order, true
}

func FuzzKeys(f *testing.F) {
	f.Add("Debian", "1:1.0-1~", "1.0")
	f.Add("Red Hat", "1.0^1", "1:0-1.el9")
	f.Add("npm", "1.0.0-rc.1", "v2")
	f.Add("PyPI", "1.0", "1.0.1")
	f.Add("RubyGems", "1.0", "01")
	f.Add("NuGet", "1.0.0.1", "1")
	f.Add("Pub", "1.0", "2")
	f.Add("Maven", "1.0", "1.0.0.1")
	f.Fuzz(func(t *testing.T, ecosystem, a, b string) { checkKeys(t, version.SchemeOf(ecosystem), a, b) })
}
