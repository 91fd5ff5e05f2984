package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/test/harness"
)

// A worker that is killed in mid-scan: another takes over, there is one report,
// and what was finished is not read again.
func TestWorkerKilledInMidScan(t *testing.T) {
	in, broker := separate(t)
	gate := in.gate
	debian := harness.Debian(t, packages...)
	image := harness.Append(t, debian.Image(t), harness.Files(t, map[string]string{
		"var/lib/app/data": strings.Repeat("landwaiter ", 100_000),
	}), "COPY data /var/lib/app/")
	held := gate.hold(top(t, image))
	digest := in.registry.Push(t, "team/app:1.0", image).String()
	first := in.worker("first")
	if err := in.call(t.Context(), "POST", "/api/v1/scans", map[string]any{"image": gate.host() + "/team/app:1.0"}, nil); err != nil {
		t.Fatal(err)
	}
	harness.WaitFor(t, soon, "the worker in the second layer", func(ctx context.Context) error {
		select {
		case <-held:
		default:
			return fmt.Errorf("reads so far: %v", gate.reads())
		}
		return layerDone(ctx, broker, layer(t, image, 0))
	}, first)
	first.Kill()
	second := in.worker("second")
	gate.release()
	r := in.reported(digest, 6)
	if len(r.Findings) == 0 || !r.Completeness.Complete {
		t.Errorf("report after the take-over: %d findings, completeness %+v", len(r.Findings), r.Completeness)
	}
	if n := gate.count(layer(t, image, 0)); n != 1 {
		t.Errorf("the finished layer was read %d times", n)
	}
	if n := completions(t, broker, digest); n != 1 {
		t.Errorf("%d completions were announced", n)
	}
	second.Stop(t)
}

// distributed is an installation of separate processes.
type distributed struct {
	*installation

	broker string
	gate   *gate
	common []string
	report *harness.Process
}

func separate(t *testing.T, env ...string) (*distributed, jetstream.JetStream) {
	t.Helper()
	harness.EndToEnd(t)
	in := &distributed{installation: &installation{t: t, registry: harness.StartRegistry(t, harness.RegistryOptions{})}}
	in.gate = newGate(t, in.registry.Host)
	in.config = t.TempDir() + "/landwaiter.yaml"
	in.write(fmt.Sprintf("registries:\n  - name: local\n    type: oci\n    address: http://%s\n", in.gate.host()))
	js := in.startBroker()
	in.redis = harness.StartRedis(t)
	in.common = append([]string{
		"LANDWAITER_NATS=" + in.broker, "LANDWAITER_CONFIG=" + in.config, "LANDWAITER_LOG_LEVEL=info",
		"LANDWAITER_WEBHOOK_KEY=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "LANDWAITER_LEASE=2s",
	}, env...)
	admin := free(t)
	in.console = "http://" + free(t)
	in.report = in.service("report", "LANDWAITER_REDIS="+in.redis.URL, "LANDWAITER_ADMIN_TOKEN="+token,
		"LANDWAITER_HTTP="+strings.TrimPrefix(in.console, "http://"), "LANDWAITER_ADMIN="+admin)
	in.up = in.report
	harness.WaitFor(t, soon, "the report service", harness.Answers("http://"+admin+"/readyz"), in.report)
	return in, js
}

func (in *distributed) service(name string, env ...string) *harness.Process {
	in.t.Helper()
	return harness.Start(in.t, harness.Command{Path: harness.Binary(in.t, name), Env: append(env, in.common...)})
}

func (in *distributed) worker(name string) *harness.Process {
	in.t.Helper()
	admin := free(in.t)
	p := in.service("worker", "LANDWAITER_DATA="+in.t.TempDir(), "LANDWAITER_ADVISORIES_SOURCE="+advisoriesDir(in.t), "LANDWAITER_ADMIN="+admin)
	harness.WaitFor(in.t, soon, "worker "+name, harness.Answers("http://"+admin+"/readyz"), p)
	return p
}

func (in *distributed) startBroker() jetstream.JetStream {
	in.t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: in.t.TempDir(), NoSigs: true, NoLog: true,
	})
	if err != nil {
		in.t.Fatal(err)
	}
	s.Start()
	in.t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(soon) {
		in.t.Fatal("the broker does not start")
	}
	in.broker = s.ClientURL()
	nc, err := nats.Connect(in.broker)
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		in.t.Fatal(err)
	}
	return js
}

// layerDone reports whether the layer's inventory is stored.
func layerDone(ctx context.Context, js jetstream.JetStream, digest string) error {
	kv, err := js.KeyValue(ctx, "landwaiter_layers")
	if err != nil {
		return err
	}
	keys, err := kv.ListKeysFiltered(ctx, "*."+strings.Replace(digest, ":", "-", 1)+".>")
	if err != nil {
		return err
	}
	for key := range keys.Keys() {
		entry, err := kv.Get(ctx, key)
		if err != nil {
			return err
		}
		var rec struct{ State string }
		if err := json.Unmarshal(entry.Value(), &rec); err != nil {
			return err
		}
		if rec.State == "done" {
			return nil
		}
	}
	return fmt.Errorf("layer %s has no inventory yet", digest)
}

// completions counts the announcements of an image's verdict.
func completions(t *testing.T, js jetstream.JetStream, digest string) int {
	t.Helper()
	cons, err := js.OrderedConsumer(t.Context(), "RESULTS", jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"landwaiter.result.scan.completed.>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := cons.FetchNoWait(1000)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for m := range batch.Messages() {
		if strings.Contains(string(m.Data()), digest) {
			n++
		}
	}
	return n
}

// gate is a proxy before a registry that can hold a blob back.
type gate struct {
	server *httptest.Server
	mu     sync.Mutex
	held   string
	open   chan struct{}
	begun  chan struct{}
	log    []string
}

func newGate(t *testing.T, host string) *gate {
	t.Helper()
	g := &gate{open: make(chan struct{})}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(proxy, w, r) }))
	t.Cleanup(func() { g.server.CloseClientConnections(); g.server.Close() })
	return g
}

func (g *gate) serve(proxy http.Handler, w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.log = append(g.log, r.Method+" "+r.URL.Path)
	hold := r.Method == http.MethodGet && g.held != "" && strings.HasSuffix(r.URL.Path, g.held)
	open, begun := g.open, g.begun
	if hold && begun != nil {
		close(begun)
		g.begun = nil
	}
	g.mu.Unlock()
	if hold {
		select {
		case <-open:
		case <-r.Context().Done():
			return
		}
	}
	proxy.ServeHTTP(w, r)
}

func (g *gate) host() string { return strings.TrimPrefix(g.server.URL, "http://") }

// hold keeps back the blob until release; the channel is closed when somebody
// asks for it.
func (g *gate) hold(digest string) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	begun := make(chan struct{})
	g.held, g.begun = digest, begun
	return begun
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != "" {
		g.held = ""
		close(g.open)
	}
}

func (g *gate) reads() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.log...)
}

func (g *gate) count(digest string) int {
	n := 0
	for _, line := range g.reads() {
		if strings.HasPrefix(line, "GET ") && strings.HasSuffix(line, digest) {
			n++
		}
	}
	return n
}

// free is an address nobody listens on, below the ports that the system gives
// to outgoing connections. Somebody could take it before it is used; the
// service then says so and the test fails.
func free(t *testing.T) string {
	t.Helper()
	for {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000)))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }()
		return l.Addr().String()
	}
}
