package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/registry"
)

// TestPaging reads a list of five in pages of two, for every form of Link.
func TestPaging(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	for _, form := range []string{
		`</v2/_catalog?last=%s&n=2>; rel="next"`,
		`<http://internal.example:5000/v2/_catalog?last=%s&n=2>; rel="next"`,
		`<_catalog?n=2&last=%s>;rel=next`,
		`<?n=2&last=%s>; title="a, b"; rel="next"`,
		`</v2/_catalog?last=%s&n=2>`,
		`</v2/_catalog?last=%s&n=2>; rel='next'`,
		`</v2/_catalog>; rel="first", </prefix/v2/_catalog?n=2&last=%s>; foo=bar; rel="prev next"`,
	} {
		c := client(t, serve(t, answer(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/_catalog" || r.URL.Query().Get("n") != "2" {
				t.Errorf("got a request for %s", r.URL)
			}
			page := names[slices.Index(names, r.URL.Query().Get("last"))+1:]
			if len(page) > 2 {
				page = page[:2]
				w.Header().Set("Link", fmt.Sprintf(form, page[1]))
			}
			_, _ = fmt.Fprintf(w, `{"repositories":["%s"]}`, strings.Join(page, `","`))
		})), config.Resolved{})
		var got []string
		for after, i := "", 0; i < 10; i++ {
			page, next, err := c.Catalog(t.Context(), nil, after, 2)
			if err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			got = append(got, page...)
			if after = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s: got %v, want %v", form, got, names)
		}
	}
}

func TestListRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ link, body string }{
		"no JSON":      {"", "<html>"},
		"other list":   {`</v2/other/tags/x?n=1>; rel="next"`, `{"tags":[]}`},
		"leads back":   {`</v2/a/tags/list?n=100>; rel="next"`, `{"tags":[]}`},
		"no query":     {`</v2/a/tags/list>; rel="next"`, `{"tags":[]}`},
		"no URL":       {`<http://[>; rel="next"`, `{"tags":[]}`},
		"long":         {`</v2/a/tags/list?` + strings.Repeat("x", 5000) + `>; rel="next"`, `{"tags":[]}`},
		"not ASCII":    {"</v2/a/tags/list?\xc3\xa4>; rel=\"next\"", `{"tags":[]}`},
		"wrong shapes": {"", `{"tags":{"a":1}}`},
	} {
		c := client(t, serve(t, answer(func(w http.ResponseWriter, _ *http.Request) {
			if tt.link != "" {
				w.Header().Set("Link", tt.link)
			}
			_, _ = w.Write([]byte(tt.body))
		})), config.Resolved{})
		after := ""
		if name == "leads back" {
			after = "n=100"
		}
		if _, _, err := c.Tags(t.Context(), "a", after, 0); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

func TestListDropsWhatCannotBeNamed(t *testing.T) {
	c := client(t, serve(t, answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/_catalog" {
			_, _ = w.Write([]byte(`{"repositories":["ok","../x","UPPER",""]}`))
			return
		}
		_, _ = w.Write([]byte(`{"name":"a","tags":null}`))
	})), config.Resolved{})
	if page, _, err := c.Catalog(t.Context(), nil, "", 0); err != nil || !slices.Equal(page, []string{"ok"}) {
		t.Errorf("got %v, %v", page, err)
	}
	if page, next, err := c.Tags(t.Context(), "a", "", 0); err != nil || len(page) != 0 || next != "" {
		t.Errorf("got %v, %q, %v", page, next, err)
	}
}
