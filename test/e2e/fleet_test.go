package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/test/harness"
)

// fleet is an installation of separate processes over a real broker, of as many
// of each service as a test starts. All of them reach the registry by a turnstile.
type fleet struct {
	*front

	stile *turnstile
}

// newFleet starts broker and Redis. The configuration has the registry "local",
// of a type, and the rules given, one line of YAML each.
func newFleet(t *testing.T, registry *harness.Registry, kind string, rules ...string) *fleet {
	t.Helper()
	f := &fleet{stile: newTurnstile(t, registry.Host)}
	f.front = &front{
		distributed: &distributed{installation: &installation{t: t, registry: registry}},
		dir:         t.TempDir(), program: filepath.Join(t.TempDir(), "nats"),
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", f.program, "./test/standin/nats")
	build.Dir = harness.Top(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build broker: %v\n%s", err, out)
	}
	_, f.port, _ = net.SplitHostPort(free(t))
	f.broker = "nats://127.0.0.1:" + f.port
	f.startBroker()
	f.redis = harness.StartRedis(t)
	f.config = filepath.Join(t.TempDir(), "landwaiter.yaml")
	doc := fmt.Sprintf("registries:\n  - {name: local, type: %s, address: 'http://%s', limits: {requestsPerSecond: 10000, concurrency: 64}, "+
		"webhook: {secret: {env: HOOK_SECRET}}}\n", kind, f.stile.host())
	if len(rules) > 0 {
		doc += "rules:\n  - " + strings.Join(rules, "\n  - ") + "\n"
	}
	f.write(doc)
	f.common = []string{
		"LANDWAITER_NATS=" + f.broker, "LANDWAITER_CONFIG=" + f.config, "LANDWAITER_LOG_LEVEL=info", "HOOK_SECRET=" + hookSecret,
		"LANDWAITER_WEBHOOK_KEY=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	}
	return f
}

// ready starts a service and waits until it says that it is ready.
func (f *fleet) ready(name string, env ...string) *harness.Process {
	f.t.Helper()
	admin := free(f.t)
	p := f.service(name, append(env, "LANDWAITER_ADMIN="+admin)...)
	harness.WaitFor(f.t, 2*soon, name, harness.Answers("http://"+admin+"/readyz"), p)
	return p
}

func (f *fleet) cron() *harness.Process {
	f.t.Helper()
	return f.ready("cron", "LANDWAITER_CRON_INTERVAL=200ms")
}

// work starts a worker.
func (f *fleet) work(env ...string) *harness.Process {
	f.t.Helper()
	return f.ready("worker", append([]string{
		"LANDWAITER_DATA=" + f.t.TempDir(), "LANDWAITER_ADVISORIES_SOURCE=" + advisoriesDir(f.t), "LANDWAITER_KEEPER_EVERY=1s",
	}, env...)...)
}

// receive starts an ingest and returns where it listens.
func (f *fleet) receive() (*harness.Process, string) {
	f.t.Helper()
	address := free(f.t)
	return f.ready("ingest", "LANDWAITER_INGEST="+address), address
}

// answer starts a report service and returns an installation that asks it.
func (f *fleet) answer() *installation {
	f.t.Helper()
	address := free(f.t)
	in := *f.installation
	in.console = "http://" + address
	in.up = f.ready("report", "LANDWAITER_REDIS="+f.redis.URL, "LANDWAITER_ADMIN_TOKEN="+token, "LANDWAITER_HTTP="+address)
	return &in
}

// stream is the connection to the broker as it is now.
func (f *fleet) stream() jetstream.JetStream {
	f.t.Helper()
	nc, err := nats.Connect(f.broker, nats.MaxReconnects(-1))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		f.t.Fatal(err)
	}
	return js
}

// results are the announcements so far, in their order.
func (f *fleet) results() []events.Event {
	f.t.Helper()
	var all []events.Event
	for _, m := range f.messages("RESULTS", "landwaiter.result.>") {
		e, err := events.Decode(events.Message{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// until waits until the announcements are as they should be.
func (f *fleet) until(what string, condition func([]events.Event) error, running ...harness.Alive) {
	f.t.Helper()
	harness.WaitFor(f.t, 4*soon, what, func(context.Context) error { return condition(f.results()) }, running...)
}

// equipped waits until the workers have opened the advisory database: scans
// that end before are compared again.
func (f *fleet) equipped() {
	f.t.Helper()
	f.until("the advisory database", func(all []events.Event) error {
		for _, e := range all {
			if d, ok := e.Data().(events.AdvisoriesUpdated); ok && d.Success {
				return nil
			}
		}
		return errors.New("nobody has told of it")
	})
}

// stages are the announcements of one kind about scans.
func stages(all []events.Event, kind events.Kind) []events.ScanEvent {
	var list []events.ScanEvent
	for _, e := range all {
		if s, ok := e.Data().(events.ScanEvent); ok && s.Kind == kind {
			list = append(list, s)
		}
	}
	return list
}

// verdicts counts the verdicts that were announced, by image and database.
func verdicts(all []events.Event) map[string]int {
	counts := map[string]int{}
	for _, e := range all {
		if c, ok := e.Data().(events.ScanCompleted); ok {
			counts[string(c.Image.Digest)+" "+c.Database]++
		}
	}
	return counts
}

// completed is nil once all the images have a verdict.
func completed(digests []string) func([]events.Event) error {
	return func(all []events.Event) error {
		known := map[string]bool{}
		for _, e := range all {
			if c, ok := e.Data().(events.ScanCompleted); ok {
				known[string(c.Image.Digest)] = true
			}
		}
		return missing(digests, func(d string) bool { return known[d] })
	}
}

func missing(digests []string, there func(string) bool) error {
	n := 0
	for _, d := range digests {
		if !there(d) {
			n++
		}
	}
	if n > 0 {
		return fmt.Errorf("%d of %d are missing", n, len(digests))
	}
	return nil
}

// tellsOf counts the announcements of a kind about sweeps, by the sweep.
func tellsOf(all []events.Event, kind events.Kind) map[string]int {
	counts := map[string]int{}
	for _, e := range all {
		if s, ok := e.Data().(events.SweepEvent); ok && s.Kind == kind {
			counts[s.Sweep]++
		}
	}
	return counts
}

// catalog pushes images of one base and a layer each, n of them to each of the
// repositories. It returns their digests, and those of their own layers.
func catalog(t *testing.T, registry *harness.Registry, platform string, n int, repositories ...string) (digests, layers []string) {
	t.Helper()
	base := ground(t, platform)
	type pushed struct{ digest, layer string }
	all := make([]pushed, n*len(repositories))
	push := func(i int) {
		name := fmt.Sprintf("%s:%d", repositories[i/n], i%n)
		image := harness.Append(t, base, harness.Files(t, map[string]string{"app/main": name}), "COPY main /app/")
		all[i] = pushed{registry.Push(t, name, image).String(), layer(t, image, 1)}
	}
	// The registry does not bear the base twice at a time: once a repository has
	// it, it is not pushed again.
	for i := 0; i < len(all); i += n {
		push(i)
	}
	var pushing sync.WaitGroup
	for lane := range 4 {
		pushing.Go(func() {
			for i := lane; i < len(all); i += 4 {
				if i%n != 0 {
					push(i)
				}
			}
		})
	}
	pushing.Wait()
	if t.Failed() {
		t.FailNow() // a push that failed ended only its goroutine
	}
	for _, p := range all {
		digests, layers = append(digests, p.digest), append(layers, p.layer)
	}
	return digests, layers
}

// ground is what the images of a catalog stand on.
func ground(t *testing.T, os string) v1.Image {
	t.Helper()
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: os, Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	return harness.Append(t, base, harness.Files(t, map[string]string{
		"etc/os-release": bookworm, "var/lib/dpkg/status": dpkgStatus,
	}), "ADD rootfs.tar /")
}
