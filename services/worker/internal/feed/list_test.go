package feed_test

import (
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/feed"
)

func FuzzList(f *testing.F) {
	f.Add("2026-01-02T00:00:00.5Z,A-2\n2026-01-01T00:00:00Z,A-1\nnonsense\n2026-01-03T00:00:00Z,../../etc\n")
	f.Fuzz(func(t *testing.T, text string) {
		ids, ordered := feed.ParseList(strings.NewReader(text))
		if !ordered {
			t.Errorf("not ordered: %q", text)
		}
		for _, id := range ids {
			if id == "" || len(id) > 128 || strings.ContainsAny(id, "/\\ \n") || id[0] == '.' {
				t.Errorf("id %q", id)
			}
		}
	})
}
