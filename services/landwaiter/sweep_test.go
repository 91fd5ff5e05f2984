package landwaiter_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A registry is swept with filters and without a rule, from the command line;
// then the sweep is begun once more, and forgotten.
func TestSweepFromTheCommandLine(t *testing.T) {
	r := startRegistry(t)
	in := newInstallation(t, r)
	r.push(t, "other/app:1.0", debian(t))
	in.up(t)
	got := in.command(t, "sweep", "--registry", "local", "--repo", "other/*", "--tag", "1.*", "--cap", "2", "--pushed-within", "3650d", "--force")
	if got.code != 0 {
		t.Fatalf("%+v", got)
	}
	id := strings.TrimSpace(got.stdout)
	type shown struct {
		State        string
		Generation   int
		Cap          int
		Tags         []string
		Repositories []string
		Counts       struct{ Images, Finished int }
	}
	ended := func(generation int) shown {
		t.Helper()
		deadline := time.Now().Add(patience)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			var s shown
			got := in.command(t, "sweeps", "show", id)
			if err := json.Unmarshal([]byte(got.stdout), &s); err != nil {
				t.Fatalf("%v: %+v", err, got)
			}
			if s.State == "done" && s.Generation == generation {
				return s
			}
			if time.Now().After(deadline) {
				t.Fatalf("the sweep is %+v", s)
			}
			<-tick.C
		}
	}
	// The image was made at no known time: only what is known to be pushed
	// lately is in the window.
	if s := ended(0); s.Cap != 2 || len(s.Tags) != 1 || len(s.Repositories) != 1 || s.Counts.Images != 0 {
		t.Errorf("got %+v", s)
	}
	if got := in.command(t, "sweeps", "restart", id); got.code != 0 || !strings.HasPrefix(got.stdout, "requested") {
		t.Errorf("%+v", got)
	}
	ended(1)
	if got := in.command(t, "sweeps", "cancel", id); got.code != 1 || !strings.Contains(got.stderr, "over") {
		t.Errorf("%+v", got)
	}
	if got := in.command(t, "sweeps", "delete", id); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := in.command(t, "sweeps", "show", id); got.code != 1 || !strings.Contains(got.stderr, "no sweep") {
		t.Errorf("%+v", got)
	}
}
