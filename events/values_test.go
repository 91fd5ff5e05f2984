package events_test

import (
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/events"
)

func TestParseDigest(t *testing.T) {
	hex := strings.Repeat("0a", 32)
	for s, valid := range map[string]bool{
		"sha256:" + hex: true, "sha512:" + hex + hex: true, "": false, "sha256:": false, hex: false,
		"sha256:" + strings.ToUpper(hex): false, "sha256:" + hex + "0": false, "sha512:" + hex: false,
		"sha256-" + hex: false, "sha256:" + hex + "\n": false, "md5:" + hex: false,
	} {
		d, err := events.ParseDigest(s)
		if (err == nil) != valid || (valid && string(d) != s) || (!valid && d != "") {
			t.Errorf("ParseDigest(%q) = %q, %v", s, d, err)
		}
		back, err := events.DigestFromToken(events.Digest(s).Token())
		if valid && (err != nil || back != d) {
			t.Errorf("DigestFromToken(Token of %q) = %q, %v", s, back, err)
		}
	}
	if _, err := events.DigestFromToken("sha256:" + hex); err == nil {
		t.Error("DigestFromToken accepts a digest that is no token")
	}
}

func FuzzParseDigest(f *testing.F) {
	f.Add("sha256:" + strings.Repeat("a", 64))
	f.Add("sha512:" + strings.Repeat("0", 128))
	f.Add("sha256-")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := events.ParseDigest(s)
		if err != nil {
			return
		}
		if string(d) != s {
			t.Errorf("ParseDigest(%q) = %q", s, d)
		}
		if strings.ContainsAny(d.Token(), ":. *>") {
			t.Errorf("token %q does not fit a subject", d.Token())
		}
		if back, err := events.DigestFromToken(d.Token()); err != nil || back != d {
			t.Errorf("DigestFromToken(%q) = %q, %v", d.Token(), back, err)
		}
	})
}

func TestNames(t *testing.T) {
	tests := []struct {
		name    string
		valid   func(string) bool
		yes, no []string
	}{
		{
			"name", events.ValidName,
			[]string{"a", "hub", "team-1", strings.Repeat("a", 63)},
			[]string{"", "-a", "a-", "A", "a_b", "a.b", "_all", "a*", "ä", "a\n", strings.Repeat("a", 64)},
		},
		{
			"host", events.ValidHost,
			[]string{"docker.io", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "registry", strings.Repeat("a", 253) + ":5000"},
			[]string{"", "Docker.io", "a/b", "a:b", "http://a", "a:123456", "-a", "a b", "[::1", strings.Repeat("a", 254), strings.Repeat("a", 254) + ":5000"},
		},
		{
			"repository", events.ValidRepository,
			[]string{"alpine", "library/alpine", "a/b/c", "a__b", "a--b.c_d"},
			[]string{"", "/a", "a/", "a//b", "A", "a..b", "a___b", "../a", "a:b", strings.Repeat("a", 256)},
		},
		{
			"tag", events.ValidTag,
			[]string{"latest", "3.20", "V1_x-y", "_a", strings.Repeat("a", 128)},
			[]string{"", ".a", "-a", "a b", "a/b", "a:b", strings.Repeat("a", 129)},
		},
	}
	for _, test := range tests {
		for _, s := range test.yes {
			if !test.valid(s) {
				t.Errorf("%s: %q is refused", test.name, s)
			}
		}
		for _, s := range test.no {
			if test.valid(s) {
				t.Errorf("%s: %q is accepted", test.name, s)
			}
		}
	}
}

func TestLanes(t *testing.T) {
	order := append(events.Lanes(), "unknown")
	for i, lane := range order {
		for j, other := range order {
			if got, want := lane.Faster(other), i < j; got != want {
				t.Errorf("%s.Faster(%s) = %v", lane, other, got)
			}
		}
	}
}

func TestSweepKey(t *testing.T) {
	if got, want := events.SweepKey("nightly", at("02:00:00")), "nightly.20260304T020000Z"; got != want {
		t.Errorf("SweepKey = %s, want %s", got, want)
	}
}
