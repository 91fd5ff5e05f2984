package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/test/harness"
)

// catalogRepositories is how many repositories the catalogue has unless
// LANDWAITER_CATALOG says otherwise. It takes two pages to list them.
const catalogRepositories = 120

// ordered is what these tests read of a sweep.
type ordered struct {
	ID, Rule, State string
	Partial         bool
	Errors          []string
	Counts          struct{ Repositories, Tags, Images, Released, Finished, Failed, Gone int }
}

// What a sweep asks a registry for follows from what the registry has and what
// is known of it, and from nothing else: a first sweep reads each manifest once,
// the next ones only lists and, unless the rule declares them immutable, tags.
// A tag that was moved without a word is found.
func TestCatalogSweep(t *testing.T) {
	in := newCatalogued(t, harness.ShapeFromEnv(t, catalogRepositories))
	catalog := in.catalog
	in.sweeps("first sweep", in.scheduled("all"), catalog.Everything())
	repository := catalog.Repositories[2]
	before := in.tagged(repository, "v3")
	if len(before) != 1 {
		t.Fatalf("v3 leads to %v", before)
	}
	seen := in.lastSeen(before[0])
	in.sweeps("unchanged", in.order("all"), catalog.Listing(false))
	if again := in.lastSeen(before[0]); !again.After(seen) {
		t.Errorf("last seen at %v, and after the next sweep at %v", seen, again)
	}

	moved := catalog.Move(repository, "v3")
	led := catalog.Lead(repository, "v4", "v5")
	want := catalog.Listing(false)
	want.Manifests, want.Configs = 1, 1
	in.sweeps("two tags moved", in.order("all"), want)
	for tag, digest := range map[string]string{"v3": moved, "v4": led} {
		if got := in.tagged(repository, tag); !slices.Equal(got, []string{digest}) {
			t.Errorf("%s leads to %v, want %s", tag, got, digest)
		}
	}
	in.reported(moved, 6)
	if before[0] == moved {
		t.Error("the tag was not moved")
	}

	// A rule of its own begins with a listing of its own; what is known is known.
	rule := map[string]any{"registry": "local", "onPush": false, "immutableTags": true}
	if err := in.call(t.Context(), "PUT", "/api/v1/rules/releases", rule, nil); err != nil {
		t.Fatal(err)
	}
	want = catalog.Listing(true)
	want.Heads, want.Manifests = catalog.Charts() // each rule learns for itself what is no image
	in.sweeps("first of immutable tags", in.scheduled("releases"), want)
	in.sweeps("immutable tags", in.order("releases"), catalog.Listing(true))
	pushed := catalog.Move(repository, "v-new")
	want = catalog.Listing(true)
	want.Heads, want.Manifests, want.Configs = 1, 1, 1
	in.sweeps("a new one among immutable tags", in.order("releases"), want)
	in.reported(pushed, 6)
}

// catalogued is an installation with a rule for all of a registry that tells
// nobody what is pushed.
type catalogued struct {
	*installation

	catalog *harness.Catalog
	asked   int // requests that were compared
}

func newCatalogued(t *testing.T, shape harness.Shape) *catalogued {
	t.Helper()
	harness.EndToEnd(t)
	in := &catalogued{
		installation: &installation{t: t, registry: harness.StartRegistry(t, harness.RegistryOptions{}), data: t.TempDir()},
	}
	in.catalog = in.registry.Fill(t, shape)
	in.config = filepath.Join(t.TempDir(), "landwaiter.yaml")
	in.write(fmt.Sprintf(`registries:
  - name: local
    type: oci
    address: http://%s
    limits: {requestsPerSecond: 100000, concurrency: 16}
rules:
  - name: all
    registry: local
    onPush: false
    schedule: {everyDays: 365}
`, in.registry.Host))
	in.console, in.hooks = "http://"+free(t), "http://"+free(t)
	in.start()
	return in
}

// sweeps waits for the end of a sweep and compares what the registry was asked
// for, since it was last compared, with what it had to be.
func (in *catalogued) sweeps(what, id string, want harness.Asked) {
	in.t.Helper()
	begun := time.Now()
	var s ordered
	harness.WaitFor(in.t, time.Hour, what, func(ctx context.Context) error {
		if err := in.get(ctx, "/api/v1/sweeps/"+id, &s); err != nil {
			return err
		}
		if s.State != "done" && s.State != "failed" {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	}, in.up, in.registry)
	in.t.Logf("%s: %v, %+v", what, time.Since(begun).Round(time.Millisecond), s.Counts)
	if s.State != "done" || s.Partial || s.Counts.Failed != 0 || s.Counts.Gone != 0 || s.Counts.Released != s.Counts.Finished {
		in.t.Errorf("%s: got %+v", what, s)
	}
	requests := in.registry.Requests(in.t)
	got := in.catalog.Asked(requests[in.asked:])
	in.asked = len(requests)
	if diff := cmp.Diff(want, got); diff != "" {
		in.t.Errorf("%s: requests (-want +got):\n%s", what, diff)
	}
}

// scheduled is the id of the first sweep of a rule, which its schedule began.
func (in *catalogued) scheduled(rule string) string {
	in.t.Helper()
	var list struct{ Sweeps []ordered }
	harness.WaitFor(in.t, soon, "the first sweep of "+rule, func(ctx context.Context) error {
		if err := in.get(ctx, "/api/v1/sweeps?rule="+rule, &list); err != nil {
			return err
		}
		if len(list.Sweeps) == 0 {
			return fmt.Errorf("there is none of %s", rule)
		}
		return nil
	}, in.up)
	return list.Sweeps[0].ID
}

// order asks for a sweep of a rule.
func (in *catalogued) order(rule string) string {
	in.t.Helper()
	var s ordered
	if err := in.call(in.t.Context(), "POST", "/api/v1/sweeps", map[string]any{"rule": rule}, &s); err != nil {
		in.t.Fatal(err)
	}
	return s.ID
}

// tagged are the digests that a tag leads to as the API tells it.
func (in *catalogued) tagged(repository, tag string) []string {
	in.t.Helper()
	var list struct{ Images []listed }
	if err := in.get(in.t.Context(), "/api/v1/images?repository="+repository, &list); err != nil {
		in.t.Fatal(err)
	}
	var digests []string
	for _, i := range list.Images {
		if slices.Contains(i.Tags, tag) {
			digests = append(digests, i.Digest)
		}
	}
	return digests
}

// lastSeen is when the report and the image say that the tags were last seen.
func (in *catalogued) lastSeen(digest string) time.Time {
	in.t.Helper()
	var r struct {
		Image struct{ LastSeenAt time.Time }
	}
	var image struct {
		Places []struct{ LastSeenAt time.Time }
	}
	if err := in.get(in.t.Context(), "/api/v1/reports/"+digest, &r); err != nil {
		in.t.Fatal(err)
	}
	if err := in.get(in.t.Context(), "/api/v1/images/"+digest, &image); err != nil {
		in.t.Fatal(err)
	}
	if len(image.Places) != 1 || !image.Places[0].LastSeenAt.Equal(r.Image.LastSeenAt) {
		in.t.Errorf("last seen at %v, and by the report at %v", image.Places, r.Image.LastSeenAt)
	}
	return r.Image.LastSeenAt
}
