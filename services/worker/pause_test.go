package worker

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// limited answers the first request of a kind with the wish to be left alone,
// and later ones, too, where the limit does not end.
func limited(after, method, part string, ends bool) intercept {
	var mu sync.Mutex
	said := false
	return func(w http.ResponseWriter, req *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if req.Method != method || !strings.Contains(req.URL.Path, part) || said && ends {
			return false
		}
		said = true
		w.Header().Set("Retry-After", after)
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
}

// A registry that asks for a pause makes its sweep wait, wherever it is, and
// nothing else: the sweep misses nothing, and what was there is not missing.
func TestSweepWaitsOutAPause(t *testing.T) {
	t.Parallel()
	for name, request := range map[string][2]string{
		"catalog":  {http.MethodGet, "/v2/_catalog"},
		"tags":     {http.MethodGet, "/v2/team/b/tags/list"},
		"tag":      {http.MethodHead, "/v2/team/b/manifests/"},
		"manifest": {http.MethodGet, "/v2/team/b/manifests/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.work(nil)
			known := r.scanned("team/a", "1", image(t, zlib(t, "1:1.3-1")))
			for _, repository := range []string{"team/b", "team/c"} {
				r.push(repository+":1", image(t, files(t, map[string]string{"name": repository})))
			}
			r.registry.failing(limited("1", request[0], request[1], true))
			sweep := r.swept("all")
			if sweep.Phase != state.SweepDone || sweep.Partial || len(sweep.Errors) > 0 || sweep.Counts.Repositories != 3 || sweep.Counts.Images != 3 {
				t.Errorf("got sweep %+v", sweep)
			}
			if p, err := r.place("team/a", known); err != nil || !p.MissingSince.IsZero() {
				t.Errorf("got place %+v, %v", p, err)
			}
			if rec, err := r.state.Pauses.Get(t.Context(), registryName); err != nil || !strings.Contains(rec.Value[""].Why, "429") {
				t.Errorf("got pauses %+v, %v", rec.Value, err)
			}
		})
	}
}

// A pause is the registry's own: neither sweeps nor pushes of others wait for
// it, and what lies there is neither missing nor let go.
func TestPauseKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "all", Registry: registryName}, config.Rule{Name: "other", Registry: "other", Repositories: []string{"team/*"}})
	r.work(func(c *Config) { c.CheckEvery = time.Millisecond })
	known := r.scanned("team/a", "1", image(t, zlib(t, "1:1.3-1")))
	r.registry.failing(limited("3600", http.MethodGet, "/v2/", false))
	waiting := r.due("all", time.Now())
	r.until("the pause is known", func(ctx context.Context) error {
		_, err := r.state.Pauses.Get(ctx, registryName)
		return err
	})
	other := startRegistry(t)
	r.configure(config.Registry{Name: "other", Type: config.OCI, Address: "http://" + other.host})
	other.push("team/app:1", image(t, files(t, map[string]string{"a": "b"})))
	if sweep := r.sweepEnds(r.due("other", time.Now())); sweep.Phase != state.SweepDone || sweep.Counts.Finished != 1 {
		t.Errorf("the other registry's: got sweep %+v", sweep)
	}
	if sweep := r.sweep(waiting); sweep.Phase.Terminal() || sweep.Partial {
		t.Errorf("the paused one's: got sweep %+v", sweep)
	}
	if p, err := r.place("team/a", known); err != nil || !p.MissingSince.IsZero() {
		t.Errorf("got place %+v, %v", p, err)
	}
	r.until("the condition says until when", func(ctx context.Context) error {
		rec, err := r.state.Conditions.Get(ctx, registryName)
		if err == nil && !strings.Contains(rec.Value.Error, "429") {
			err = errors.New(rec.Value.Error)
		}
		return err
	})
	r.cancelSweep(waiting)
}
