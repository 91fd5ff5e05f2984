package rule_test

import (
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/rule"
)

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern  string
		yes, not []string
	}{
		{"*", []string{"", "a", "a/b"}, nil},
		{".*", []string{"", "a", "a/b"}, nil},
		{"library/alpine", []string{"library/alpine"}, []string{"library/alpine2", "alpine", "xlibrary/alpine"}},
		{"user/*", []string{"user/", "user/a", "user/a/b"}, []string{"user", "xuser/a"}},
		{"*value", []string{"value", "avalue"}, []string{"value1"}},
		{"value*", []string{"value", "value1"}, []string{"avalue"}},
		{"1.2", []string{"1.2"}, []string{"1x2"}},
		{"v.*", []string{"v.", "v.1"}, []string{"v", "v1"}},
		{"a*a", []string{"aa", "aba"}, []string{"a"}},
		{"a*b*c", []string{"abc", "axbxc", "abbc"}, []string{"ac", "acb", "ab"}},
		{"*ab*ab*", []string{"abab", "xabxabx"}, []string{"ab", "aab"}},
		{"**", []string{"", "x"}, nil},
	}
	for _, tt := range tests {
		p, err := rule.ParsePattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range tt.yes {
			if !p.Match(s) {
				t.Errorf("%q: got no match of %q", tt.pattern, s)
			}
		}
		for _, s := range tt.not {
			if p.Match(s) {
				t.Errorf("%q: got a match of %q", tt.pattern, s)
			}
		}
	}
	if (rule.Pattern{}).Match("") {
		t.Error("the zero pattern matches")
	}
}

func TestMatcher(t *testing.T) {
	m, err := rule.Compile(config.Rule{
		Repositories: []string{"acme/*"}, ExcludeRepositories: []string{"*/cache"},
		Tags: []string{"v*", "sha256-*"}, ExcludeTags: []string{"*-rc"},
		Platforms: []string{"linux/arm64", "windows"},
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := strings.Repeat("a", 64)
	for _, tt := range []struct {
		what      string
		got, want bool
	}{
		{"repository", m.Repository("acme/a"), true},
		{"other repository", m.Repository("library/a"), false},
		{"excluded repository", m.Repository("acme/cache"), false},
		{"tag", m.Tag("v1"), true},
		{"other tag", m.Tag("latest"), false},
		{"excluded tag", m.Tag("v1-rc"), false},
		{"signature", m.Tag("sha256-" + sum + ".sig"), false},
		{"attestation", m.Tag("sha256-" + sum + ".att"), false},
		{"SBOM", m.Tag("sha256-" + sum + ".sbom"), false},
		{"referrers", m.Tag("sha256-" + sum), false},
		{"almost a signature", m.Tag("sha256-" + sum + ".sigs"), true},
		{"arm64", m.Platform("linux", "arm64", ""), true},
		{"arm64/v8", m.Platform("linux", "arm64", "v8"), true},
		{"amd64", m.Platform("linux", "amd64", ""), false},
		{"windows", m.Platform("windows", "amd64", ""), true},
		{"all repositories", rule.Matcher{}.Repository("x"), true},
		{"all tags", rule.Matcher{}.Tag("x"), true},
		{"all platforms", rule.Matcher{}.Platform("plan9", "mips", ""), true},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.what, tt.got, tt.want)
		}
	}
	for _, r := range []config.Rule{{Repositories: []string{"a b"}}, {Tags: []string{""}}, {Platforms: []string{"beos"}}} {
		if _, err := rule.Compile(r); err == nil {
			t.Errorf("%+v: got no error", r)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("a*b*", "axb")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		p, err := rule.ParsePattern(pattern)
		if err != nil {
			return
		}
		if !p.Match(strings.ReplaceAll(pattern, "*", s)) && strings.Contains(pattern, "*") && pattern != ".*" {
			t.Errorf("%q does not match itself with %q for the stars", pattern, s)
		}
		p.Match(s)
	})
}
