package worker

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// version is an image of which there is no other.
func version(t *testing.T, n int) v1.Image {
	t.Helper()
	return image(t, zlib(t, fmt.Sprintf("1:1.4.%d-1", n)))
}

// origins wants that images were recorded for what is told of each.
func (r *rig) origins(repository string, want map[events.Digest]state.Origin) {
	r.t.Helper()
	for d, origin := range want {
		if p, err := r.place(repository, d); err != nil || p.Origin != origin {
			r.t.Errorf("image %s: origin %q, want %q, %v", d, p.Origin, origin, err)
		}
	}
}

// What was there before the first listing is nobody's merit; later on, each
// image is one the webhooks announced, or one that they did not.
func TestCoverage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	old := r.push("team/app:old", version(t, 0))
	first := r.swept("all")
	if !first.Baseline {
		t.Error("the first sweep is no baseline")
	}
	announced := r.scanned("team/app", "1", version(t, 1))
	lost := r.push("team/app:2", version(t, 2))
	asked := r.push("team/app:3", version(t, 3))
	req := r.request(events.ImageRequested{Registry: registryName, Repository: "team/app", Tag: "3"})
	if req.State != state.RequestPlanned {
		t.Fatalf("request %+v", req)
	}
	fresh := r.push("team/new:1", version(t, 4))
	if second := r.swept("all"); second.Baseline {
		t.Error("the second sweep is a baseline too")
	}
	r.pushed("team/app", "2", lost) // too late
	r.idle()
	r.origins("team/app", map[events.Digest]state.Origin{
		old: state.OriginBaseline, announced: state.OriginPush, lost: state.OriginSweep, asked: state.OriginRequest,
	})
	r.origins("team/new", map[events.Digest]state.Origin{fresh: state.OriginSweep})
}

// A rule that selects more than it did meets images that were there all along.
func TestAnotherSelectionHasABaselineOfItsOwn(t *testing.T) {
	t.Parallel()
	rule := config.Rule{Name: "all", Registry: registryName, Repositories: []string{"team/a"}}
	r := newRig(t, rule, config.Rule{Name: "other", Registry: registryName, Repositories: []string{"team/a"}})
	stop := r.work(nil)
	r.push("team/a:1", version(t, 0))
	r.swept("all")
	r.swept("other")
	stop() // the change is known from the start
	missed := r.push("team/b:1", version(t, 1))
	rule.Repositories = []string{"team/*"}
	rule.Scanners = 3
	rec, err := r.state.Rules.Get(t.Context(), rule.Name)
	if err != nil {
		t.Fatal(err)
	}
	rec.Value.Value = rule
	if _, err := r.state.Rules.Put(t.Context(), failpoint.ConfigRule, rec); err != nil {
		t.Fatal(err)
	}
	other, err := r.state.Rules.Get(t.Context(), "other")
	if err == nil {
		err = r.state.Rules.Delete(t.Context(), failpoint.ConfigRule, other)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.work(nil)
	if sw := r.swept("all"); !sw.Baseline {
		t.Error("the sweep of a wider selection is no baseline")
	}
	r.origins("team/b", map[events.Digest]state.Origin{missed: state.OriginBaseline})
	found := r.push("team/b:2", version(t, 2))
	r.swept("all")
	r.origins("team/b", map[events.Digest]state.Origin{found: state.OriginSweep})
	if _, err := r.state.Listings.Get(t.Context(), "other"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("the listing of a rule that is gone: %v", err)
	}
}

// A catalog that could not be read to its end is no baseline to count from.
func TestPartOfACatalogIsNoBaseline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	r.push("team/a:1", version(t, 0))
	unseen := r.push("team/b:1", version(t, 1))
	r.registry.failing(func(w http.ResponseWriter, req *http.Request) bool {
		if req.URL.Path != "/v2/_catalog" {
			return false
		}
		if req.URL.Query().Get("last") != "" {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return listed(1, []string{"team/a", "team/b"}, nil)(w, req)
	})
	if sw := r.swept("all"); !sw.Partial || !sw.Baseline {
		t.Fatalf("sweep %+v", sw)
	}
	r.registry.failing(nil)
	if sw := r.swept("all"); sw.Partial || !sw.Baseline {
		t.Errorf("sweep %+v", sw)
	}
	r.origins("team/b", map[events.Digest]state.Origin{unseen: state.OriginBaseline})
}

// What is no new image is not counted.
func TestCoverageMetric(t *testing.T) {
	registry := prometheus.NewRegistry()
	count := placed(registry)
	for _, o := range []state.Origin{state.OriginPush, state.OriginPush, state.OriginSweep, state.OriginBaseline, state.OriginRequest, ""} {
		count("hub", o)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				key = append(key, l.GetValue())
			}
			got[strings.Join(key, " ")] = m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{
		"landwaiter_webhook_images_total announced hub": 2,
		"landwaiter_webhook_images_total found hub":     1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
