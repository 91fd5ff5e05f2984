package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/test/harness"
)

// An emptied Redis is rebuilt from the records, also when RESULTS, kept for a
// minute only, has nothing left to tell.
func TestRebuildWithoutResults(t *testing.T) {
	in, js := separate(t, "LANDWAITER_RESULTS_AGE=1m")
	in.worker("only")
	image := harness.Debian(t, packages...).Image(t)
	digest := in.registry.Push(t, "team/app:1.0", image).String()
	if err := in.call(t.Context(), "POST", "/api/v1/scans", map[string]any{"image": in.gate.host() + "/team/app:1.0"}, nil); err != nil {
		t.Fatal(err)
	}
	before := in.reported(digest, 6)
	harness.WaitFor(t, 2*time.Minute, "RESULTS to be empty", func(ctx context.Context) error {
		stream, err := js.Stream(ctx, "RESULTS")
		if err != nil {
			return err
		}
		if n := stream.CachedInfo().State.Msgs; n > 0 {
			return fmt.Errorf("%d messages", n)
		}
		return nil
	}, in.report)
	if err := in.redis.Client(t).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if res := in.command("rebuild"); res.Code != 0 {
		t.Fatalf("landwaiter rebuild: code %d\n%s%s", res.Code, res.Stdout, res.Stderr)
	}
	after := in.reported(digest, 6)
	if len(before.Findings) == 0 || len(after.Findings) != len(before.Findings) || len(after.Packages) != len(before.Packages) {
		t.Errorf("%d findings and %d packages after the rebuild, %d and %d before",
			len(after.Findings), len(after.Packages), len(before.Findings), len(before.Packages))
	}
}
