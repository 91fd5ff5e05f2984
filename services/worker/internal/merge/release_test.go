package merge

import (
	"maps"
	"testing"
)

func TestParseRelease(t *testing.T) {
	const content = "# a comment\n\nID=debian\nVERSION_ID=\"12\"\r\nNAME='a \"b\"'\nPRETTY_NAME=\"a \\\"b\\\" \\$c \\\\\"\nBROKEN\n=x\nID=last\nHALF=\"x"
	want := release{"ID": "last", "VERSION_ID": "12", "NAME": `a "b"`, "PRETTY_NAME": `a "b" $c \`, "HALF": `"x`}
	if got := parseRelease(content); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParseRelease(f *testing.F) {
	f.Add("ID=debian\nVERSION_ID=\"12\"\n")
	f.Add("ID='\nVERSION_ID=\"\nPRETTY_NAME=\"\\\"")
	f.Fuzz(func(_ *testing.T, content string) {
		r := parseRelease(content)
		r.ecosystem()
		r.os()
	})
}
