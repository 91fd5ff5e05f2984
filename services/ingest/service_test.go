package ingest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/hook"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// patience bounds every wait of a test; a loaded machine is slow.
const patience = 30 * time.Second

// secret is the configured secret of the registry called local.
const secret = "open-sesame/with a slash"

// broker is a real broker that can be taken away and brought back.
type broker struct {
	opts server.Options
	srv  *server.Server
}

func startBroker(tb testing.TB) *broker {
	tb.Helper()
	b := &broker{opts: server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: tb.TempDir(), NoLog: true, NoSigs: true,
	}}
	b.start(tb)
	tb.Cleanup(func() { b.stop() })
	return b
}

func (b *broker) start(tb testing.TB) {
	tb.Helper()
	opts := b.opts
	srv, err := server.NewServer(&opts)
	if err != nil {
		tb.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(patience) {
		tb.Fatal("broker not ready")
	}
	b.srv, b.opts.Port = srv, opts.Port
}

func (b *broker) stop() { b.srv.Shutdown(); b.srv.WaitForShutdown() }

// service is an ingest under test, its broker, and what it logged.
type service struct {
	url    string
	broker *broker
	bus    *bus.Bus
	store  *state.Store
	log    *output
	stop   func() error // ends the service and gives what Run returned
}

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func start(tb testing.TB, change func(*Config), registries ...config.Registry) *service {
	tb.Helper()
	s := &service{broker: startBroker(tb), log: &output{}}
	s.open(tb, registries)
	log, err := app.Logger("ingest", "debug", s.log)
	if err != nil {
		tb.Fatal(err)
	}
	ln, err := app.Listen(tb.Context(), "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	key, err := hook.NewKey(config.NewSecret(strings.Repeat("k", 32)))
	if err != nil {
		tb.Fatal(err)
	}
	cfg := Config{
		Bus:      bus.Options{URL: s.broker.srv.ClientURL(), Service: "ingest", Log: log},
		Listener: ln,
		Secrets: hook.Secrets{Key: key, Getenv: func(name string) string {
			return map[string]string{"HOOK": secret}[name]
		}},
	}
	if change != nil {
		change(&cfg)
	}
	s.url = "http://" + ln.Addr().String()
	if !cfg.TLS.IsZero() {
		s.url = "https://" + ln.Addr().String()
	}
	s.run(tb, cfg, log)
	return s
}

func (s *service) open(tb testing.TB, registries []config.Registry) {
	tb.Helper()
	b, err := bus.Connect(tb.Context(), bus.Options{URL: s.broker.srv.ClientURL(), Service: "test", Log: zaptest.NewLogger(tb, zaptest.Level(zap.ErrorLevel))})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	if s.store, err = state.Open(tb.Context(), b); err != nil {
		tb.Fatal(err)
	}
	s.bus = b
	for _, r := range registries {
		if _, err := s.store.Registries.Create(tb.Context(), failpoint.ConfigRegistry, r.Name, state.Managed[config.Registry]{Value: r}); err != nil {
			tb.Fatal(err)
		}
	}
}

func (s *service) run(tb testing.TB, cfg Config, log *zap.Logger) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg, log) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	tb.Cleanup(func() {
		if err := s.stop(); err != nil {
			tb.Errorf("service ended: %v", err)
		}
	})
	s.until(tb, "service ready", func() bool {
		status, _ := s.post(tb, "/hooks/nobody/nothing", nil)
		return status == http.StatusUnauthorized
	})
}

// until waits for a condition, asking again and again.
func (s *service) until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-limit.C:
			tb.Errorf("not within %s: %s\n%.4000s", patience, what, s.log)
			return
		}
	}
}

// post delivers a body and returns the answer; status 0 for none.
func (s *service) post(tb testing.TB, path string, body []byte) (int, string) {
	tb.Helper()
	return s.send(tb, http.MethodPost, path, http.Header{"Content-Type": {"application/json"}}, body)
}

func (s *service) send(tb testing.TB, method, path string, header http.Header, body []byte) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header = header.Clone()
	res, err := client().Do(req)
	if err != nil {
		return 0, err.Error()
	}
	text, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}

func client() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // tests of certificates bring their own client
	}}
}

// path is the webhook path of a registry, as the registry would be told.
func path(t *testing.T, s hook.Secrets, r config.Registry) string {
	t.Helper()
	value, err := s.Of(r)
	if err != nil {
		t.Fatal(err)
	}
	u, err := hook.URL("http://x", r.Name, value)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u, "http://x")
}

// stored reads a stream as it is now.
func (s *service) stored(t *testing.T, name events.StreamName) []jetstream.RawStreamMsg {
	t.Helper()
	stream, err := s.bus.JetStream().Stream(t.Context(), s.bus.Topology().Stream(name))
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []jetstream.RawStreamMsg
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq && info.State.Msgs > 0; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *m)
	}
	return all
}

// facts decodes what is on the REGISTRY stream.
func (s *service) facts(t *testing.T) []events.Event {
	t.Helper()
	var all []events.Event
	for _, m := range s.stored(t, events.Registry) {
		e, err := events.Decode(events.Message{Subject: m.Subject, Header: m.Header, Data: m.Data})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}
