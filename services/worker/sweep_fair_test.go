package worker

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// endless makes a registry's catalog one that never ends.
func endless(w http.ResponseWriter, req *http.Request) bool {
	if req.URL.Path != "/v2/_catalog" {
		return false
	}
	w.Header().Set("Link", fmt.Sprintf(`</v2/_catalog?last=%d>; rel="next"`, time.Now().UnixNano()))
	_, err := io.WriteString(w, `{"repositories": ["nobody/wants"]}`)
	return err == nil
}

// Sweeps that always have something to do leave turns to the others, of their
// own registry and of others.
func TestSweepsTakeTurns(t *testing.T) {
	t.Parallel()
	const busy = 6
	rules := []config.Rule{
		{Name: "fine", Registry: registryName, Repositories: []string{"team/fine"}},
		{Name: "other", Registry: "other", Repositories: []string{"team/fine"}},
	}
	for i := range busy {
		rules = append(rules, config.Rule{Name: fmt.Sprintf("busy%d", i), Registry: registryName, Repositories: []string{"team/*"}})
	}
	r := newRig(t, rules...)
	r.configure(config.Registry{Name: "other", Type: config.OCI, Address: "http://" + r.registry.host})
	r.push("team/fine:1", image(t, files(t, map[string]string{"a": "b"})))
	r.registry.failing(endless)
	r.work(nil)
	at := time.Now()
	var running []string
	for i := range busy {
		running = append(running, r.due(fmt.Sprintf("busy%d", i), at))
	}
	for _, key := range running {
		r.until("each has had a turn", func(ctx context.Context) error {
			rec, err := r.state.Sweeps.Get(ctx, key)
			if err == nil && rec.Value.Next == "" {
				err = fmt.Errorf("it is %+v", rec.Value)
			}
			return err
		})
	}
	for _, rule := range []string{"other", "fine"} {
		if sw := r.sweepEnds(r.due(rule, at)); sw.Phase != state.SweepDone || sw.Counts.Images != 1 {
			t.Errorf("got sweep %+v", sw)
		}
	}
	for _, key := range running {
		if sw := r.sweep(key); sw.Phase != state.SweepListing {
			t.Errorf("got sweep %+v", sw)
		}
		r.cancelSweep(key)
	}
}

// A registry that does not answer holds up nobody else's sweeps.
func TestSilentRegistryStopsNoOther(t *testing.T) {
	t.Parallel()
	rules := []config.Rule{{Name: "fine", Registry: registryName}}
	const silent = 5
	for i := range silent {
		rules = append(rules, config.Rule{Name: fmt.Sprintf("silent%d", i), Registry: "silent"})
	}
	r := newRig(t, rules...)
	mute := startRegistry(t)
	hold := mute.hold("/v2/_catalog")
	r.configure(config.Registry{Name: "silent", Type: config.OCI, Address: "http://" + mute.host})
	r.push("team/fine:1", image(t, files(t, map[string]string{"a": "b"})))
	r.work(nil)
	at := time.Now()
	var keys []string
	for i := range silent {
		keys = append(keys, r.due(fmt.Sprintf("silent%d", i), at))
	}
	<-hold.arrived
	if sw := r.sweepEnds(r.due("fine", at)); sw.Phase != state.SweepDone || sw.Counts.Finished != 1 {
		t.Errorf("got sweep %+v", sw)
	}
	hold.release()
	for _, key := range keys {
		r.sweepEnds(key)
	}
}

// While a sweep's layers take all the room that sweeps may have, and more of
// its images wait, a push is scanned at once.
func TestSweepDelaysNoPush(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "all", Registry: registryName, Repositories: []string{"big/*", "team/*"}})
	const images = 40
	big := map[string]bool{}
	for i := range images {
		layer := files(t, map[string]string{"n": strconv.Itoa(i)})
		big[string(digestOf(t, layer))] = true
		r.push(fmt.Sprintf("big/app:%d", i), image(t, layer))
	}
	known := zlib(t, "1:1.2-1")
	r.work(nil)
	r.scanned("team/known", "1", image(t, known))
	var mu sync.Mutex
	var waiting int
	open := make(chan struct{})
	t.Cleanup(sync.OnceFunc(func() { close(open) }))
	r.registry.failing(func(_ http.ResponseWriter, req *http.Request) bool {
		if !big[path.Base(req.URL.Path)] {
			return false
		}
		mu.Lock()
		waiting++
		mu.Unlock()
		select {
		case <-open:
		case <-req.Context().Done():
		}
		return false
	})
	key := r.due("all", time.Now())
	r.until("the sweep takes all it can", func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if waiting < 2 {
			return fmt.Errorf("%d layers are read", waiting)
		}
		return nil
	})
	r.until("its images wait", func(ctx context.Context) error {
		rec, err := r.state.Sweeps.Get(ctx, key)
		if n := len(rec.Value.Outstanding); err == nil && n < images {
			err = fmt.Errorf("%d are released", n)
		}
		return err
	})
	for tag, img := range map[string]string{"known": "", "new": "1:1.9-1"} {
		layer := known
		if img != "" {
			layer = zlib(t, img)
		}
		d := r.push("team/app:"+tag, image(t, layer, files(t, map[string]string{"only": tag})))
		r.pushed("team/app", tag, d)
		if j := r.jobEnds(d, state.JobDone); j.Lane != events.LanePush {
			t.Errorf("got job %+v", j)
		}
	}
	if sw := r.sweep(key); sw.Counts.Finished != 0 {
		t.Errorf("the sweep went on: %+v", sw)
	}
	r.cancelSweep(key)
}
