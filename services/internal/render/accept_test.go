package render_test

import (
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/render"
)

func FuzzAccepted(f *testing.F) {
	for _, header := range []string{"*/*", "text/html, text/csv;q=0.5", "application/spdx+json;q=NaN", ";;,q=", ""} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		form, ok := render.Accepted(header)
		if ok != (form == render.JSON || form.Known()) {
			t.Errorf("%q gives %q, %v", header, form, ok)
		}
	})
}
