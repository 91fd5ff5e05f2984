package source

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

const (
	hexA    = "4c1ece3897675113fe965d9aeeae2d3ced36e74af16ea0b5a2a5be82fdec214c"
	digestA = "sha256:" + hexA
)

func TestMoment(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{`"2026-11-20T17:20:50.844518989Z"`, "2026-11-20T17:20:50.844518989Z"},
		{`"2026-11-20T18:20:50+01:00"`, "2026-11-20T17:20:50Z"},
		{`"2019-03-05T23:45:31.2614267Z"`, "2019-03-05T23:45:31.2614267Z"},
		{`"2016-11-10T23:57:49.664+0000"`, "2016-11-10T23:57:49.664Z"},
		{`"2016-11-29 12:25:46"`, "2016-11-29T04:25:46Z"},
		{`1497467660`, "2017-06-14T19:14:20Z"},
		{`1.417566161e+09`, "2014-12-03T00:22:41Z"},
		{`"1497467660"`, "2017-06-14T19:14:20Z"},
		{`"0001-01-01T00:00:00Z"`, ""},
		{`"2023-02-29T00:00:00Z"`, ""},
		{`"019-03-12T22:16:31Z"`, ""},
		{`0`, ""},
		{`-5`, ""},
		{`1e400`, ""},
		{`1e300`, ""},
		{`"NaN"`, ""},
		{`99999999999999999`, ""},
		{`null`, ""},
		{`{}`, ""},
		{`"` + strings.Repeat("9", 100000) + `"`, ""},
		{``, ""},
	} {
		got := ""
		if m := moment(json.RawMessage(tt.raw)); !m.IsZero() {
			got = m.Format(time.RFC3339Nano)
		}
		if got != tt.want {
			t.Errorf("moment(%.40s) = %q, want %q", tt.raw, got, tt.want)
		}
	}
}

func TestReference(t *testing.T) {
	for _, tt := range []struct {
		tag, digest, wantTag string
		wantDigest           events.Digest
	}{
		{"1.0", digestA, "1.0", digestA},
		{"1.0", "", "1.0", ""},
		{"", "", "", ""}, // never latest
		{digestA, "", "", digestA},
		{"1.0", "sha256:xxxx", "1.0", ""},
		{"1.0", "md5:" + hexA, "1.0", ""},
		{"a b", digestA, "", digestA},
		{strings.Repeat("a", 129), "", "", ""},
	} {
		if tag, digest := reference(tt.tag, tt.digest); tag != tt.wantTag || digest != tt.wantDigest {
			t.Errorf("reference(%q, %q) = %q, %q", tt.tag, tt.digest, tag, digest)
		}
	}
}

func TestRepository(t *testing.T) {
	for in, want := range map[string]string{
		"Team/Web": "team/web", "/a/b/": "a/b", "library/x": "library/x", "a": "a",
		"<name>": "", "": "", "/": "", "a//b": "", "../etc": "", "a b": "", "ä": "", strings.Repeat("a", 256): "",
	} {
		if got := repository(in); got != want {
			t.Errorf("repository(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	long := strings.Repeat("a", 4000)
	for in, want := range map[string]string{
		"": "", zeroID: "", "01a1f9f9-a89c-77e9-a34b-bcf68963ac53": "01a1f9f9-a89c-77e9-a34b-bcf68963ac53",
		"with space": hash("with space"), "a\r\nb": hash("a\r\nb"), long: hash(long),
	} {
		if got := identity(in); got != want {
			t.Errorf("identity(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func TestActorAndMediaType(t *testing.T) {
	if got := actor("\tfoo "); got != "foo" {
		t.Errorf("actor with white space around = %q", got)
	}
	for in, want := range map[string]string{"foo": "foo", "a\nb": "", "\xff": "", strings.Repeat("a", 300): ""} {
		if got := actor(in); got != want {
			t.Errorf("actor(%.20q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{ociIndex: ociIndex, "Text/HTML; charset=x": "text/html", "nonsense": "", "": "", "a/" + strings.Repeat("b", 300): ""} {
		if got := mediaType(in); got != want {
			t.Errorf("mediaType(%.20q) = %q, want %q", in, got, want)
		}
	}
}

func TestClassOfTag(t *testing.T) {
	for tag, want := range map[string]events.Class{
		"sha256-" + hexA + ".sig": events.ClassSignature, "sha256-" + hexA + ".att": events.ClassSignature,
		"sha256-" + hexA: events.ClassReferrer, "sha256-" + hexA + ".zip": "", "1.0": "", "": "",
	} {
		if got, ok := classOfTag(tag); got != want || ok != (want != "") {
			t.Errorf("classOfTag(%q) = %q, %v; want %q", tag, got, ok, want)
		}
	}
}
