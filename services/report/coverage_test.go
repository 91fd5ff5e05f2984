package report_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

type summary struct {
	Registry string
	Images   int
	Coverage struct {
		Announced, Found int
		Share            *float64
		Since            time.Time
	}
}

// TestCoverage counts new images by how they became known, as long as they are
// new and there.
func TestCoverage(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	for _, name := range []string{"hub", "quiet"} {
		if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, name, state.Managed[config.Registry]{
			Value: config.Registry{Name: name, Address: name + ".test"},
		}); err != nil {
			t.Fatal(err)
		}
	}
	const day = 24 * time.Hour
	number := 0
	put := func(origin state.Origin, age time.Duration, change func(*state.Place)) {
		number++
		p := place(number)
		p.Origin, p.FirstSeen = origin, p.FirstSeen.Add(-age)
		if change != nil {
			change(&p)
		}
		r.putPlace(p)
	}
	for range 3 {
		put(state.OriginPush, 29*day, nil)
	}
	put(state.OriginSweep, day, nil)
	put(state.OriginBaseline, day, nil)
	put(state.OriginRequest, day, nil)
	put("", day, nil)                   // of a version that did not say
	put(state.OriginPush, 31*day, nil)  // not new any more
	put(state.OriginSweep, 30*day, nil) // just so
	put(state.OriginPush, day, func(p *state.Place) { p.Index = true })
	put(state.OriginPush, day, func(p *state.Place) { p.Registry = "elsewhere" })
	put(state.OriginSweep, day, func(p *state.Place) { // expired
		p.MissingSince, p.Missing = p.LastSeen.Add(-2*time.Hour), state.MissingGone
	})
	r.start()
	r.shows("?registry=hub", 9)
	var got summary
	r.call(http.MethodGet, "/api/v1/registries/hub/summary", nil, &got)
	want := got
	want.Registry, want.Images, want.Coverage.Announced, want.Coverage.Found = "hub", 9, 3, 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if s := got.Coverage.Share; s == nil || *s != 0.75 {
		t.Errorf("share %v, want 0.75", s)
	}
	if age := time.Since(got.Coverage.Since); age < 30*day || age > 30*day+time.Hour {
		t.Errorf("since %s", got.Coverage.Since)
	}
	if page := r.page("/registries"); !strings.Contains(page, "75 %") || !strings.Contains(page, "3 of 4") {
		t.Errorf("the console does not tell: %s", page)
	}
	// Nothing missed of nothing is no full coverage.
	r.call(http.MethodGet, "/api/v1/registries/quiet/summary", nil, &got)
	if got.Images != 0 || got.Coverage.Share != nil {
		t.Errorf("a registry without images: %+v", got)
	}
	if res := r.call(http.MethodGet, "/api/v1/registries/none/summary", nil, nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("a registry that is not there: %s", res.Status)
	}
}

// TestCoverageForgetsWhatIsGone looks at an image that counts until it expires.
func TestCoverageForgetsWhatIsGone(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, "hub", state.Managed[config.Registry]{
		Value: config.Registry{Name: "hub", Address: "hub.test"},
	}); err != nil {
		t.Fatal(err)
	}
	p := place(1)
	p.Origin = state.OriginPush
	r.putPlace(p)
	r.start()
	r.shows("", 1)
	announced := func(want int) {
		t.Helper()
		r.eventually("coverage", func() string {
			var got summary
			if r.call(http.MethodGet, "/api/v1/registries/hub/summary", nil, &got); got.Coverage.Announced != want {
				return fmt.Sprintf("%+v, want %d announced", got, want)
			}
			return ""
		})
	}
	announced(1)
	r.removePlace(p)
	r.announce("image.expired", 1, "gone")
	announced(0)
}
