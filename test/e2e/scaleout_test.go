package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/test/harness"
)

// Three of each service share the work, and one of each may die: what is told to
// any ingest is stored once, each due time gives one sweep, every worker does
// some of the work, all reports answer the same, and nothing is done twice.
func TestThreeOfEach(t *testing.T) {
	harness.EndToEnd(t)
	const sweeps, slots = 4, 3
	registry := harness.StartRegistry(t, harness.RegistryOptions{})
	rules := []string{"{name: pushes, registry: local, repositories: ['push/*'], onPush: true}"}
	var swept []string
	for n := range sweeps {
		rules = append(rules, fmt.Sprintf("{name: due-%d, registry: local, repositories: [sweep/app-%d], schedule: {everyDays: 1}}", n, n))
		swept = append(swept, fmt.Sprintf("sweep/app-%d", n))
	}
	f := newFleet(t, registry, "zot", rules...)
	// Slots for more than the layers that are read at a time would wait for
	// them and not show who works.
	f.common = append(f.common, "LANDWAITER_LEASE=3s", fmt.Sprintf("LANDWAITER_SLOTS=%d", slots), fmt.Sprintf("LANDWAITER_LAYERS=%d", slots))
	digests, layers := catalog(t, registry, "linux", 10, swept...)
	var ingests, crons, workers []*harness.Process
	var hooks []string
	var reports []*installation
	f.stile.hold(blobs(layers...))
	for range 3 {
		p, address := f.receive()
		ingests, hooks = append(ingests, p), append(hooks, address)
		workers = append(workers, f.work())
		reports = append(reports, f.answer())
	}
	f.equipped()
	for range 3 {
		crons = append(crons, f.cron())
	}
	f.until("work for all", func(all []events.Event) error {
		// One of each rule, and that of pushes finds nothing yet.
		if n, m := len(tellsOf(all, events.SweepStarted)), len(tellsOf(all, events.SweepCompleted)); n != sweeps+1 || m != 1 {
			return fmt.Errorf("%d sweeps began, %d are over", n, m)
		}
		if n := len(names(stages(all, events.ScanStarted))); n != 3 {
			return fmt.Errorf("%d workers have work", n)
		}
		return nil
	})
	pushed, tops := catalog(t, registry, "linux", 10, "push/app")
	digests, layers = append(digests, pushed...), append(layers, tops...)
	tell := func(n int, to ...string) {
		t.Helper()
		id := uuid.NewString()
		for _, address := range to {
			f.tell(address, id, n, pushed[n])
		}
	}
	for n := range 5 { // each is told to two: its sender has lost the first's answer
		tell(n, hooks[n%3], hooks[(n+1)%3])
	}
	for _, p := range []*harness.Process{ingests[0], crons[0], workers[0], reports[0].up} {
		p.Kill()
	}
	f.stile.release()
	for n := 5; n < 10; n++ {
		tell(n, hooks[1+n%2], hooks[1+(n+1)%2])
	}
	f.lateRule(reports[1])
	f.until("all verdicts", completed(digests), ingests[1], ingests[2], crons[1], crons[2], workers[1], workers[2])
	f.until("the end of all sweeps", func(all []events.Event) error {
		if n := len(tellsOf(all, events.SweepCompleted)); n != sweeps+2 {
			return fmt.Errorf("%d are over", n)
		}
		return nil
	})
	f.answersAlike(reports[1:], digests)
	f.once(digests, layers, slots)
	if n := len(f.records("landwaiter_sweeps")); n != sweeps+2 {
		t.Errorf("%d sweeps for %d due times", n, sweeps+2)
	}
}

// tell posts a push as zot does.
func (f *fleet) tell(address, id string, n int, digest string) {
	f.t.Helper()
	header, body := zotBody(id, n, digest)
	body = strings.ReplaceAll(body, fmt.Sprintf(`"team/app-%d","reference":"1"`, n), fmt.Sprintf(`"push/app","reference":"%d"`, n))
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "http://"+address+"/hooks/local/"+hookSecret, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header = header
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 2 {
		f.t.Fatalf("the notification was answered with %s", res.Status)
	}
}

// lateRule makes a rule that is due at once, for the crons that are left.
func (f *fleet) lateRule(in *installation) {
	f.t.Helper()
	rule := map[string]any{"registry": "local", "repositories": []string{"sweep/app-0"}, "schedule": map[string]any{"everyDays": 1}}
	if err := in.call(f.t.Context(), http.MethodPut, "/api/v1/rules/late", rule, nil); err != nil {
		f.t.Fatal(err)
	}
}

func names(started []events.ScanEvent) map[string]int {
	counts := map[string]int{}
	for _, s := range started {
		counts[s.Worker]++
	}
	return counts
}

// answersAlike waits until every report service has all images, and compares
// what they say.
func (f *fleet) answersAlike(reports []*installation, digests []string) {
	f.t.Helper()
	said := make([]map[string]any, len(reports))
	for i, in := range reports {
		harness.WaitFor(f.t, soon, "all images", func(ctx context.Context) error {
			list, err := in.everything(ctx)
			if err != nil {
				return err
			}
			return missing(digests, func(d string) bool { return list[d] == 6 })
		}, in.up)
		said[i] = map[string]any{}
		for _, p := range []string{"/api/v1/images", "/api/v1/sweeps", "/api/v1/reports/" + digests[0], "/api/v1/images/" + digests[1], "/api/v1/rules"} {
			var answer any
			if err := in.get(f.t.Context(), p, &answer); err != nil {
				f.t.Error(err)
			}
			said[i][p] = answer
		}
	}
	for _, other := range said[1:] {
		if diff := cmp.Diff(said[0], other); diff != "" {
			f.t.Errorf("the reports do not say the same:\n%s", diff)
		}
	}
}

// everything lists the status of all images.
func (in *installation) everything(ctx context.Context) (map[string]int, error) {
	all := map[string]int{}
	for cursor := ""; ; {
		var list struct {
			Images     []listed
			NextCursor string
		}
		if err := in.get(ctx, "/api/v1/images?limit=100&cursor="+url.QueryEscape(cursor), &list); err != nil {
			return nil, err
		}
		for _, img := range list.Images {
			all[img.Digest] = img.Status
		}
		if cursor = list.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// once holds against the log and the announcements that nothing was done twice
// but what the worker that died had in hand.
func (f *fleet) once(digests, layers []string, slots int) {
	f.t.Helper()
	stored := map[string]int{}
	for _, m := range f.messages("REGISTRY", "landwaiter.registry.>") {
		stored[m.Headers().Get("Nats-Msg-Id")]++
	}
	if len(stored) != 10 {
		f.t.Errorf("%d facts are stored, want 10: %v", len(stored), stored)
	}
	all := f.results()
	for sweep, n := range tellsOf(all, events.SweepStarted) {
		if n != 1 {
			f.t.Errorf("sweep %s began %d times", sweep, n)
		}
	}
	for verdict, n := range verdicts(all) {
		if n != 1 {
			f.t.Errorf("verdict %s was told of %d times", verdict, n)
		}
	}
	started := stages(all, events.ScanStarted)
	if again := len(started) - len(digests); again < 0 || again > slots {
		f.t.Errorf("%d scans began again, and one worker with %d slots was killed", again, slots)
	}
	f.t.Logf("scans by worker: %v", names(started))
	f.readOnce(layers, slots)
}

// readOnce holds against the log that each layer was read once, but for so many
// reads that were cut off.
func (f *fleet) readOnce(layers []string, most int) {
	f.t.Helper()
	reads, again := f.stile.reads(), 0
	for _, d := range layers {
		if reads[d] == 0 {
			f.t.Errorf("layer %s was never read", d)
		}
		again += max(reads[d]-1, 0)
	}
	if again > most {
		f.t.Errorf("layers were read again %d times, want at most %d", again, most)
	}
	f.t.Logf("%d layers, %d reads cut off and begun again", len(layers), again)
}

// records are the values of a bucket, by their keys.
func (f *fleet) records(bucket string) map[string]json.RawMessage {
	f.t.Helper()
	kv, err := f.stream().KeyValue(f.t.Context(), bucket)
	if err != nil {
		f.t.Fatal(err)
	}
	watch, err := kv.WatchAll(f.t.Context(), jetstream.IgnoreDeletes())
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = watch.Stop() }()
	all := map[string]json.RawMessage{}
	for entry := range watch.Updates() {
		if entry == nil {
			return all
		}
		all[entry.Key()] = entry.Value()
	}
	f.t.Fatal(errors.New("the broker went away"))
	return nil
}
