package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

// TestPages reads a list to its end, with the filters on each page.
func TestPages(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		next := map[string]string{"": "b", "b": "c", "c": ""}[q.Get("cursor")]
		_, _ = fmt.Fprintf(w, `{"sweeps": [{"id": %q}], "nextCursor": %q}`, q.Get("rule")+q.Get("cursor")+q.Get("limit"), next)
	}))
	defer srv.Close()
	c, err := client.New(srv.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = client.Pages(t.Context(), c, "/sweeps", url.Values{"rule": {"r"}}, func(page client.Sweeps) string {
		for _, s := range page.Sweeps {
			got = append(got, s.ID)
		}
		return page.NextCursor
	})
	if want := []string{"r500", "rb500", "rc500"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
