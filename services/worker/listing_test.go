package worker

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// heads counts the HEAD requests for each path.
func (f *fakeRegistry) heads() map[string]int {
	n := map[string]int{}
	for _, line := range f.requests() {
		if path, ok := strings.CutPrefix(line, http.MethodHead+" "); ok {
			n[path]++
		}
	}
	return n
}

// A sweep asks for each tag once, however many images and tags there are.
func TestSweepAsksForATagOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	img := image(t, zlib(t, "1:1.2.3-1"))
	for _, ref := range []string{"team/app:1", "team/app:1.2", "team/app:latest"} {
		r.push(ref, img)
	}
	r.push("team/app:2", image(t, zlib(t, "1:1.2.4-1")))
	r.registry.pushIndex("team/app:multi", index(child{of(t, image(t, zlib(t, "2:1-1")), "linux", "arm64"), *linux("arm64"), nil}))
	r.registry.forget()
	r.work(nil)
	for _, run := range []string{"first", "second"} {
		if sweep := r.swept("all"); sweep.Partial || sweep.Counts.Tags != 5 {
			t.Errorf("%s: got %+v", run, sweep)
		}
		heads := r.registry.heads()
		for path, n := range heads {
			if n > 1 || strings.Contains(path, "sha256:") {
				t.Errorf("%s: %d times HEAD %s", run, n, path)
			}
		}
		if len(heads) != 5 {
			t.Errorf("%s: got %v, want one for each tag", run, heads)
		}
		r.registry.forget()
	}
}

// What a cap leaves out was listed all the same: it is not asked for again, nor
// taken for gone.
func TestSweepSeesWhatItsCapLeavesOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "newest", Registry: registryName, Repositories: []string{"team/app"}, Cap: 1})
	r.work(nil)
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	old := made(t, image(t, zlib(t, "1:1-1")), day)
	multi := index(child{of(t, old, "linux", "arm64"), *linux("arm64"), nil})
	d := r.registry.pushIndex("team/app:1", multi)
	for _, tag := range []string{"1.0", "moves"} {
		r.registry.pushIndex("team/app:"+tag, multi)
	}
	r.swept("newest")
	r.push("team/app:2", made(t, image(t, zlib(t, "1:2-1")), day.AddDate(0, 0, 1)))
	r.push("team/app:moves", made(t, image(t, zlib(t, "1:0-1")), day.AddDate(0, 0, -1))) // left out, too
	before, err := r.place("team/app", d)
	if err != nil || len(before.Tags) != 3 {
		t.Fatalf("got %+v, %v", before, err)
	}
	r.registry.forget()
	sweep := r.swept("newest")
	if sweep.Counts.Images != 1 || sweep.Counts.Gone != 0 {
		t.Errorf("got %+v", sweep.Counts)
	}
	for path, n := range r.registry.heads() {
		if n > 1 || strings.Contains(path, "sha256:") {
			t.Errorf("%d times HEAD %s", n, path)
		}
	}
	place, err := r.place("team/app", d)
	if err != nil || len(place.Tags) != 2 || !place.LastSeen.After(before.LastSeen) {
		t.Errorf("got %+v, %v", place, err)
	}
}

// told answers the list of a repository's tags as Google's registries do: with
// digests and push times.
func told(repository string, images map[string]struct {
	digest events.Digest
	pushed time.Time
},
) intercept {
	return func(w http.ResponseWriter, req *http.Request) bool {
		if req.URL.Path != "/v2/"+repository+"/tags/list" {
			return false
		}
		var tags []string
		manifest := map[string]any{}
		for tag, i := range images {
			tags = append(tags, tag)
			manifest[string(i.digest)] = map[string]any{"tag": []string{tag}, "timeUploadedMs": strconv.FormatInt(i.pushed.UnixMilli(), 10)}
		}
		slices.Sort(tags)
		_ = json.NewEncoder(w).Encode(map[string]any{"name": repository, "tags": tags, "manifest": manifest})
		return true
	}
}

// Where the list tells digests and push times, nothing is asked to find the
// newest images, and nothing is read of the others.
func TestSweepTakesTheListsWord(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "newest", Registry: registryName, Repositories: []string{"team/app"}, Cap: 1})
	type entry = struct {
		digest events.Digest
		pushed time.Time
	}
	list := map[string]entry{}
	day := time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Second)
	for i, tag := range []string{"1", "2", "3"} {
		// The image that was made last was pushed first.
		img := made(t, image(t, files(t, map[string]string{"tag": tag})), day.AddDate(-1, 0, -i))
		list[tag] = entry{r.push("team/app:"+tag, img), day.Add(time.Duration(i) * time.Hour)}
	}
	r.registry.failing(told("team/app", list))
	r.registry.forget()
	r.work(nil)
	r.swept("newest")
	if j := r.job(list["3"].digest); j.State != state.JobDone {
		t.Errorf("got job %+v", j)
	}
	for _, line := range r.registry.requests() {
		if strings.HasPrefix(line, http.MethodHead) {
			t.Errorf("got %s", line)
		}
	}
	for _, tag := range []string{"1", "2"} {
		r.noJob(list[tag].digest)
		if n := r.registry.gets("/manifests/", string(list[tag].digest)); n != 0 {
			t.Errorf("the manifest of %s was read", tag)
		}
	}
	place, err := r.place("team/app", list["3"].digest)
	if err != nil || !place.PushedAt.Equal(list["3"].pushed) {
		t.Errorf("got %+v, %v", place, err)
	}
}

// A tag that was pushed again after it was listed stays with the newer image.
func TestSweepDoesNotTakeATagBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	older := r.push("team/app:1", image(t, zlib(t, "1:1.2.3-1")))
	hold := r.registry.hold("/manifests/", string(older)) // after it was listed, before it is planned
	key := r.due("all", time.Now())
	<-hold.arrived
	newer := r.push("team/app:1", image(t, zlib(t, "1:1.2.4-1")))
	r.pushed("team/app", "1", newer)
	r.jobEnds(newer, state.JobDone)
	hold.release()
	r.sweepEnds(key)
	for d, want := range map[events.Digest]int{older: 0, newer: 1} {
		place, err := r.place("team/app", d)
		if err != nil || len(place.Tags) != want {
			t.Errorf("%s: got %+v, %v, want %d tags", d, place, err, want)
		}
	}
}
