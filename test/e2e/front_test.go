package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/test/harness"
)

// front is a registry, an ingest and a broker, each a process that can be
// killed. No worker reads what is stored.
type front struct {
	*distributed

	hooks                string // address of ingest
	dir, program, port   string // of the broker
	brokerNow, ingestNow *harness.Process
}

// newFront configures the registry once as each of the types, by which it is
// called.
func newFront(t *testing.T, types ...string) *front {
	t.Helper()
	return newFrontOf(t, harness.StartRegistry(t, harness.RegistryOptions{}), types...)
}

func newFrontOf(t *testing.T, registry *harness.Registry, types ...string) *front {
	t.Helper()
	f := &front{
		distributed: &distributed{installation: &installation{t: t, registry: registry}},
		dir:         t.TempDir(), program: filepath.Join(t.TempDir(), "nats"), hooks: free(t),
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", f.program, "./test/standin/nats")
	build.Dir = harness.Top(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build broker: %v\n%s", err, out)
	}
	_, f.port, _ = net.SplitHostPort(free(t))
	f.broker = "nats://127.0.0.1:" + f.port
	f.startBroker()
	f.config = t.TempDir() + "/landwaiter.yaml"
	var doc strings.Builder
	doc.WriteString("registries:\n")
	for _, kind := range types {
		fmt.Fprintf(&doc, "  - {name: %s, type: %s, address: 'http://%s', limits: {requestsPerSecond: 10000, concurrency: 64}, webhook: {secret: {env: HOOK_SECRET}, deliveriesPerSecond: 100000}}\n", kind, kind, f.registry.Host)
	}
	doc.WriteString("rules:\n")
	for _, kind := range types {
		fmt.Fprintf(&doc, "  - {name: %s, registry: %s, onPush: true}\n", kind, kind)
	}
	f.write(doc.String())
	f.common = []string{
		"LANDWAITER_NATS=" + f.broker, "LANDWAITER_CONFIG=" + f.config, "LANDWAITER_LOG_LEVEL=warn", "LANDWAITER_LEASE=2s", "LANDWAITER_SLOTS=2",
		"LANDWAITER_WEBHOOK_KEY=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "HOOK_SECRET=" + hookSecret,
	}
	f.startIngest()
	return f
}

func (f *front) startBroker() {
	f.brokerNow = harness.Start(f.t, harness.Command{Path: f.program, Args: []string{"-a", "127.0.0.1", "-p", f.port, "-js", "-sd", f.dir}})
	harness.WaitFor(f.t, soon, "the broker", func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", "127.0.0.1:"+f.port)
		if err != nil {
			return err
		}
		return conn.Close()
	}, f.brokerNow)
}

func (f *front) startIngest() {
	admin := free(f.t)
	f.ingestNow = f.service("ingest", "LANDWAITER_INGEST="+f.hooks, "LANDWAITER_ADMIN="+admin)
	harness.WaitFor(f.t, soon, "ingest", harness.Answers("http://"+admin+"/readyz"), f.ingestNow)
}

// messages reads a stream as it is now.
func (f *front) messages(stream, filter string) []jetstream.Msg {
	f.t.Helper()
	nc, err := nats.Connect(f.broker)
	if err != nil {
		f.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		f.t.Fatal(err)
	}
	cons, err := js.CreateConsumer(f.t.Context(), stream, jetstream.ConsumerConfig{FilterSubject: filter, AckPolicy: jetstream.AckNonePolicy})
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = js.DeleteConsumer(context.WithoutCancel(f.t.Context()), stream, cons.CachedInfo().Name) }()
	info, err := cons.Info(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	var list []jetstream.Msg
	for left := int(info.NumPending); left > 0; {
		batch, err := cons.Fetch(min(left, 500), jetstream.FetchMaxWait(soon))
		if err != nil {
			f.t.Fatal(err)
		}
		for m := range batch.Messages() {
			list = append(list, m)
			left--
		}
		if err := batch.Error(); err != nil {
			f.t.Fatal(err)
		}
	}
	return list
}

// facts are the registry events that are stored.
func (f *front) facts() []events.RegistryEvent {
	f.t.Helper()
	var list []events.RegistryEvent
	for _, m := range f.messages("REGISTRY", "landwaiter.registry.>") {
		e, err := events.Decode(events.Message{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
		if err != nil {
			f.t.Fatal(err)
		}
		if fact, ok := e.Data().(events.RegistryEvent); ok {
			list = append(list, fact)
		}
	}
	return list
}

// comes waits for as many facts that are like it, and no more.
func (f *front) comes(what string, n int, like func(events.RegistryEvent) bool) {
	f.t.Helper()
	harness.WaitFor(f.t, soon, what, func(context.Context) error {
		found := 0
		for _, fact := range f.facts() {
			if like(fact) {
				found++
			}
		}
		if found != n {
			return fmt.Errorf("%d, want %d", found, n)
		}
		return nil
	}, f.ingestNow)
}

// What a real registry sends is understood, and what it could not deliver it
// delivers again.
func TestRealRegistryNotifies(t *testing.T) {
	harness.EndToEnd(t)
	f := newFront(t, "oci")
	f.registry.Restart(t, harness.RegistryOptions{Notify: harness.Notify{URL: "http://" + f.hooks + "/hooks/oci/" + hookSecret}})
	image := tiny(t, "ID=debian\n")
	digest := f.registry.Push(t, "team/web:1", image).String()
	f.comes("the pushed tag", 1, func(e events.RegistryEvent) bool {
		return e.Kind == events.ImagePushed && e.Tag == "1" && string(e.Digest) == digest
	})
	other := tiny(t, "ID=debian\nVERSION_ID=11\n")
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image}, mutate.IndexAddendum{Add: other})
	if err := remote.WriteIndex(f.registry.Reference(t, "team/multi:2"), index); err != nil {
		t.Fatal(err)
	}
	f.comes("the pushed index", 1, func(e events.RegistryEvent) bool { return e.Class == events.ClassIndex && e.Tag == "2" })
	f.comes("its children", 2, func(e events.RegistryEvent) bool {
		return e.Kind == events.ImagePushed && e.Repository == "team/multi" && e.Tag == "" && e.Class != events.ClassIndex
	})
	f.registry.Delete(t, "team/web@"+digest)
	f.comes("the deletion", 1, func(e events.RegistryEvent) bool { return e.Kind == events.ImageDeleted && string(e.Digest) == digest })

	f.brokerNow.Kill()
	f.registry.Push(t, "team/late:3", other)
	harness.WaitFor(t, soon, "a delivery that is refused", func(context.Context) error {
		if !strings.Contains(f.ingestNow.Stderr(), "delivery not stored") {
			return errors.New("none yet")
		}
		return nil
	}, f.ingestNow)
	f.startBroker()
	f.comes("the push that was refused", 1, func(e events.RegistryEvent) bool { return e.Kind == events.ImagePushed && e.Tag == "3" })
}
