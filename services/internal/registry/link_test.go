package registry

import (
	"net/url"
	"testing"
)

func FuzzNextCursor(f *testing.F) {
	f.Add(`</v2/_catalog?last=a&n=2>; rel="next"`)
	f.Add(`<a>; x="<,;", <?b=c>; rel=next`)
	f.Fuzz(func(t *testing.T, header string) {
		next, err := nextCursor([]string{header}, "/v2/_catalog")
		if err != nil || next == "" {
			return
		}
		u := url.URL{Scheme: "https", Host: "x", Path: "/v2/_catalog", RawQuery: next}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != "x" || again.Path != u.Path || again.RawQuery != next {
			t.Errorf("%q gives %q, which leaves the query", header, next)
		}
	})
}

func TestSameOwner(t *testing.T) {
	for _, tt := range []struct {
		own, other string
		want       bool
	}{
		{"index.docker.io", "auth.docker.io", true},
		{"registry.gitlab.com", "gitlab.com", true},
		{"quay.io", "quay.io", true},
		{"docker.io.evil.com", "auth.docker.io", false},
		{"a.co.uk", "b.co.uk", false},
		{"a.github.io", "b.github.io", false},
		{"10.0.0.1", "10.0.0.2", false},
		{"127.0.0.1", "localhost", true},
		{"registry", "registry", true},
		{"registry", "auth", false},
		{"example.com", "169.254.169.254", false},
	} {
		if got := sameOwner(tt.own, tt.other); got != tt.want {
			t.Errorf("%s, %s: got %t, want %t", tt.own, tt.other, got, tt.want)
		}
	}
}
