package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// due publishes a due time of a rule, under a message id of its own.
func (r *rig) due(rule string, at time.Time) (key string) {
	r.t.Helper()
	key = events.SweepKey(rule, at)
	r.publish(uuid.NewString(), events.SweepRequested{Sweep: key, Rule: rule, DueAt: at})
	return key
}

// swept runs a rule's sweep to its end.
func (r *rig) swept(rule string) state.Sweep {
	r.t.Helper()
	at := time.Now()
	if n := len(r.told(events.SweepStarted)); n > 0 {
		at = at.Add(time.Duration(n) * time.Hour) // keys are of a second
	}
	return r.sweepEnds(r.due(rule, at))
}

func (r *rig) sweepEnds(key string) state.Sweep {
	r.t.Helper()
	var sweep state.Sweep
	r.until("the sweep ends", func(ctx context.Context) error {
		rec, err := r.state.Sweeps.Get(ctx, key)
		if sweep = rec.Value; err == nil && !sweep.Announced {
			err = fmt.Errorf("it is %s: %+v", sweep.Phase, sweep)
		}
		return err
	})
	return sweep
}

// listed answers lists a few names a page, whatever was asked for.
func listed(perPage int, repositories []string, tags map[string][]string) intercept {
	return func(w http.ResponseWriter, req *http.Request) bool {
		name, isTags := strings.CutSuffix(strings.TrimPrefix(req.URL.Path, "/v2/"), "/tags/list")
		all := repositories
		if isTags {
			all = tags[name]
		} else if req.URL.Path != "/v2/_catalog" {
			return false
		}
		if last := req.URL.Query().Get("last"); last != "" {
			all = all[slices.Index(all, last)+1:]
		}
		if len(all) > perPage {
			all = all[:perPage]
			next := url.Values{"last": {all[perPage-1]}, "n": {"100"}}
			w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, req.URL.Path, next.Encode()))
		}
		_ = json.NewEncoder(w).Encode(map[string][]string{"repositories": all, "tags": all})
		return true
	}
}

func TestSweepFindsWhatItsRuleNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{
		Name: "nightly", Registry: registryName, Repositories: []string{"team/*"}, ExcludeRepositories: []string{"team/secret"},
		ExcludeTags: []string{"*-dev"},
	})
	r.work(nil)
	want := map[events.Digest]bool{}
	tags := map[string][]string{}
	var repositories []string
	for i, ref := range []string{"other/a:1", "team/a:1", "team/a:2", "team/a:3", "team/a:4-dev", "team/b:1", "team/c:1", "team/secret:1"} {
		img := image(t, zlib(t, fmt.Sprintf("1:1.2.%d-1", i)))
		repository, tag, _ := strings.Cut(ref, ":")
		d := r.push(ref, img)
		want[d] = strings.HasPrefix(ref, "team/") && repository != "team/secret" && !strings.HasSuffix(tag, "-dev")
		tags[repository] = append(tags[repository], tag)
		if !slices.Contains(repositories, repository) {
			repositories = append(repositories, repository)
		}
	}
	signature := strings.Repeat("0", 64)
	signed := r.push("team/b:sha256-"+signature+".sig", image(t, files(t, map[string]string{"looks": "real"})))
	tags["team/b"] = append(tags["team/b"], "sha256-"+signature+".sig")
	want[signed] = false
	r.registry.failing(listed(2, repositories, tags))

	sweep := r.swept("nightly")
	if sweep.Phase != state.SweepDone || sweep.Partial || len(sweep.Outstanding) != 0 {
		t.Errorf("got sweep %+v", sweep)
	}
	if c := sweep.Counts; c.Repositories != 3 || c.Images != 5 || c.Released != 5 || c.Finished != 5 || c.Failed != 0 {
		t.Errorf("got counts %+v", c)
	}
	for d, wanted := range want {
		if !wanted {
			r.noJob(d)
		} else if j := r.job(d); j.State != state.JobDone || j.Lane != events.LaneSweep {
			t.Errorf("got job %+v", j)
		}
	}
	r.idle()
	if got := kinds(r.told(events.SweepStarted, events.SweepCompleted)); !slices.Equal(got, []events.Kind{events.SweepStarted, events.SweepCompleted}) {
		t.Errorf("told %v", got)
	}
	r.valid()
	// All is known now: the next one scans nothing.
	r.registry.forget()
	again := r.swept("nightly")
	if again.Counts.Images != 5 || again.Counts.Released != 0 || r.registry.gets("/blobs/") != 0 {
		t.Errorf("got counts %+v, requests %v", again.Counts, r.registry.requests())
	}
}

func TestCapTakesTheNewest(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "newest", Registry: registryName, Repositories: []string{"team/app"}, Cap: 2})
	r.work(nil)
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	pushed := func(tag string, at time.Time) events.Digest {
		return r.push("team/app:"+tag, made(t, image(t, files(t, map[string]string{"tag": tag})), at))
	}
	oldest, tied := pushed("a", day.AddDate(0, 0, -1)), pushed("b", day)
	tiedLater, newest := pushed("c", day), pushed("d", day.AddDate(0, 0, 1))
	sweep := r.swept("newest")
	if sweep.Counts.Images != 2 || sweep.Counts.Tags != 4 {
		t.Errorf("got counts %+v", sweep.Counts)
	}
	for _, d := range []events.Digest{newest, tiedLater} {
		if j := r.job(d); j.State != state.JobDone {
			t.Errorf("got job %+v", j)
		}
	}
	r.noJob(oldest)
	r.noJob(tied)
}

func TestWindowIsNeverExceeded(t *testing.T) {
	t.Parallel()
	const scanners = 2
	r := newRig(t, config.Rule{Name: "slow", Registry: registryName, Scanners: scanners})
	for i := range 3 {
		idx := index(
			child{image(t, zlib(t, fmt.Sprintf("1:%d-1", i))), *linux("amd64"), nil},
			child{of(t, image(t, zlib(t, fmt.Sprintf("2:%d-1", i))), "linux", "arm64"), *linux("arm64"), nil},
			child{of(t, image(t, zlib(t, fmt.Sprintf("3:%d-1", i))), "linux", "s390x"), *linux("s390x"), nil},
		)
		r.registry.pushIndex(fmt.Sprintf("team/app%d:1", i), idx)
	}
	most := r.mostAtOnce()
	r.work(nil)
	r.work(nil)
	sweep := r.swept("slow")
	if sweep.Counts.Released != 9 || sweep.Counts.Finished != 9 {
		t.Errorf("got counts %+v", sweep.Counts)
	}
	if n := most(); n == 0 || n > scanners {
		t.Errorf("%d unfinished scans at once, want at most %d", n, scanners)
	}
}

// mostAtOnce follows the jobs; the function it returns ends that and says how
// many were unfinished at a time.
func (r *rig) mostAtOnce() func() int {
	ctx, cancel := context.WithCancel(r.t.Context())
	synced, result := make(chan struct{}), make(chan int, 1)
	go func() {
		active, most := map[string]bool{}, 0
		err := r.state.Jobs.Watch(ctx, ">", func(u state.Update[state.Job]) {
			if u.Synced {
				close(synced)
				return
			}
			delete(active, u.Key)
			if !u.Removed && !u.Value.State.Terminal() {
				active[u.Key] = true
			}
			most = max(most, len(active))
		})
		if err != nil {
			most = -1
		}
		result <- most
	}()
	<-synced
	return func() int { cancel(); return <-result }
}
