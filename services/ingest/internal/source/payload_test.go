package source

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// delivered is a delivery of a source's table, and what becomes of it.
type delivered struct {
	name, body string
	want       gist
}

func checkDelivered(t *testing.T, s Source, list []delivered) {
	t.Helper()
	for _, tt := range list {
		t.Run(tt.name, func(t *testing.T) {
			b := parsed(t, s, http.Header{}, tt.body)
			if diff := cmp.Diff([]gist{tt.want}, gists(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func parsed(t *testing.T, s Source, h http.Header, body string) Batch {
	t.Helper()
	b, err := s.Parse(h, []byte(body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checkFacts(t *testing.T, b Batch, want ...Fact) {
	t.Helper()
	if diff := cmp.Diff(want, b.Facts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func checkRefused(t *testing.T, s Source, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if b, err := s.Parse(http.Header{}, []byte(body), time.Now()); err == nil {
			t.Errorf("body %.40q: %v, no error", body, b)
		}
	}
}

func form() http.Header {
	return http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
}

// asForm is a JSON body as a form holds it.
func asForm(body string) string { return url.Values{"payload": {body}}.Encode() }

func TestPayload(t *testing.T) {
	const text = `{"a":"b&c=d +%é"}`
	for _, tt := range []struct {
		name   string
		header http.Header
		body   string
		want   string // blank: refused
	}{
		{"JSON", http.Header{"Content-Type": {"application/json"}}, text, text},
		{"no type", http.Header{}, text, text},
		{"form", form(), asForm(text), text},
		{"form of another field", form(), "data=%7B%7D", ""},
		{"form with a second field", form(), asForm(text) + "&x=1", ""},
		{"form with two payloads", form(), asForm(text) + "&payload=%7B%7D", ""},
		{"form that is no form", form(), "payload=%zz", ""},
		{"JSON called a form", form(), text, ""},
		{"nothing called a form", form(), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := payload(tt.header, []byte(tt.body))
			if string(got) != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("payload = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte(asForm(`{"a":"b c"}`)))
	f.Add([]byte("payload=%"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, err := payload(form(), body); err == nil && len(got) > len(body) {
			t.Errorf("body of %d bytes gives %d", len(body), len(got))
		}
	})
}
