package worker

import (
	"maps"
	"slices"
	"testing"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// A push is scanned where a rule does not say otherwise; what onPush leaves
// alone, the rule's sweep finds.
func TestOnPush(t *testing.T) {
	t.Parallel()
	no, yes := false, true
	r := newRig(t,
		config.Rule{Name: "quiet", Registry: registryName, Repositories: []string{"team/quiet", "team/both"}, OnPush: &no},
		config.Rule{Name: "told", Registry: registryName, Repositories: []string{"team/both"}, OnPush: &yes},
		config.Rule{Name: "silent", Registry: registryName, Repositories: []string{"team/silent"}},
	)
	r.work(nil)
	quiet := r.push("team/quiet:1", image(t, zlib(t, "1:1.2-1")))
	r.pushed("team/quiet", "1", quiet)
	both := r.scanned("team/both", "1", image(t, zlib(t, "1:1.3-1")))
	r.scanned("team/silent", "1", image(t, zlib(t, "1:1.4-1")))
	r.idle()
	r.noJob(quiet)
	if j := r.job(both); !slices.Equal(j.Rules(), []string{"told"}) {
		t.Errorf("asked for by %v, want the rule that wants pushes", j.Rules())
	}
	r.swept("quiet")
	if j := r.jobEnds(quiet, state.JobDone); j.Lane != events.LaneSweep {
		t.Errorf("got job %+v", j)
	}
}

// Tags that a rule declares immutable are asked for once in their life, unless
// everything is to be done again. A tag that is new is asked for.
func TestImmutableTags(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "all", Registry: registryName, ImmutableTags: true, Cap: 2})
	r.work(nil)
	img := image(t, zlib(t, "1:1.2-1"))
	for _, ref := range []string{"team/app:1", "team/app:1.0"} {
		r.push(ref, img)
	}
	r.push("team/app:2", image(t, zlib(t, "1:1.3-1")))
	r.push("team/app:3", image(t, zlib(t, "1:1.4-1"))) // over the cap: remembered all the same
	asked := func(what string, want ...string) {
		t.Helper()
		for i, tag := range want {
			want[i] = "/v2/team/app/manifests/" + tag
		}
		if heads := slices.Sorted(maps.Keys(r.registry.heads())); !slices.Equal(heads, want) {
			t.Errorf("%s: asked for %v, want %v", what, heads, want)
		}
		r.registry.forget()
	}
	r.registry.forget()
	r.swept("all")
	asked("first", "1", "1.0", "2", "3")
	r.swept("all")
	asked("unchanged")
	r.push("team/app:4", image(t, zlib(t, "1:1.5-1")))
	r.registry.forget()
	if s := r.swept("all"); s.Counts.Tags != 5 {
		t.Errorf("got sweep %+v", s)
	}
	asked("with a new tag", "4")
	r.sweepEnds(r.order(state.Sweep{Rule: config.Rule{Name: "all", Registry: registryName}, Force: true}))
	asked("everything again", "1", "1.0", "2", "3", "4")
}
