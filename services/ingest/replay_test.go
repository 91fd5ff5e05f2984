package ingest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/dead"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// hub is a notification of Docker Hub: it has no id.
const hub = `{"push_data":{"tag":"1","pushed_at":1497467660},"repository":{"repo_name":"alpine"}}`

// letters waits until there are n dead letters and returns them, oldest first.
func (s *service) letters(t *testing.T, n int) []dead.Letter {
	t.Helper()
	all := dead.New(s.bus)
	var list []dead.Letter
	s.until(t, fmt.Sprintf("%d dead letters", n), func() bool {
		span, err := all.All(t.Context())
		if err == nil {
			list, _, err = all.Oldest(t.Context(), dead.Filter{}, span, 100)
		}
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == n
	})
	for i := range list {
		var err error
		if list[i], err = all.Get(t.Context(), list[i].Sequence); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// replayed replays a letter and waits until it was read again.
func (s *service) replayed(t *testing.T, l dead.Letter) {
	t.Helper()
	if err := dead.New(s.bus).Replay(t.Context(), l, l.Message()); err != nil {
		t.Fatal(err)
	}
	s.readAgain(t)
}

func (s *service) readAgain(t *testing.T) {
	t.Helper()
	s.until(t, "what was replayed is read", func() bool {
		stream, err := s.bus.JetStream().Stream(t.Context(), s.bus.Topology().Stream(events.Replays))
		if err != nil {
			t.Fatal(err)
		}
		return stream.CachedInfo().State.Msgs == 0
	})
}

// retype changes the type of the registry called local and waits until the
// service knows.
func (s *service) retype(t *testing.T, kind config.RegistryType, understood []byte) {
	t.Helper()
	_, err := s.store.Registries.Change(t.Context(), failpoint.ConfigRegistry, "local", func(m *state.Managed[config.Registry], _ bool) error {
		m.Value.Type = kind
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.until(t, "the new type is known", func() bool {
		status, _ := s.post(t, localPath, understood)
		return status == http.StatusAccepted
	})
}

// parked is a webhook as a version parked it that did not understand it.
func (s *service) parked(t *testing.T, w dead.Webhook) dead.Letter {
	t.Helper()
	m := w.Message(s.bus.Topology().ReplaySubject(w.Registry))
	m.Header.Set(events.HeaderMessageID, "dead/"+w.ID)
	if err := s.bus.PublishDeadMessage(t.Context(), failpoint.DeadPublish, events.Replays, m, "not understood then"); err != nil {
		t.Fatal(err)
	}
	return s.letters(t, 1)[0]
}

var then = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func webhook(body string) dead.Webhook {
	return dead.Webhook{Registry: "local", Source: "distribution", ID: "w1", ReceivedAt: then, Body: []byte(body)}
}

func TestUpgradeReadsWhatWasParked(t *testing.T) {
	s := start(t, nil, local())
	if status, text := s.post(t, localPath, []byte(hub)); status != http.StatusOK {
		t.Fatalf("answer %d %s", status, text)
	}
	before := time.Now()
	letter := s.letters(t, 1)[0]
	s.retype(t, config.DockerHub, []byte(strings.Replace(hub, "alpine", "busybox", 1)))
	s.replayed(t, letter)
	// The body that waited for the new type may have been parked as well.
	if _, err := dead.New(s.bus).Get(t.Context(), letter.Sequence); !errors.Is(err, dead.ErrNotFound) {
		t.Errorf("the letter is still there: %v", err)
	}
	var got []events.RegistryEvent
	for _, e := range s.facts(t) {
		if f, ok := e.Data().(events.RegistryEvent); ok && f.Repository == "library/alpine" {
			got = append(got, f)
		}
	}
	if len(got) != 1 || got[0].Source != "dockerhub" || got[0].Tag != "1" || !got[0].ReceivedAt.Before(before) {
		t.Errorf("facts %+v", got)
	}
}

// A sender's id makes the same event of a replay as of a delivery.
func TestReplayedFactKeepsItsID(t *testing.T) {
	s := start(t, nil, local())
	s.replayed(t, s.parked(t, webhook(string(push("id-1")))))
	if status, text := s.post(t, localPath, push("id-1")); status != http.StatusAccepted {
		t.Fatalf("answer %d %s", status, text)
	}
	facts := s.facts(t)
	if len(facts) != 1 || facts[0].ID() != "local/id-1" {
		t.Fatalf("stored %v", facts)
	}
	if f, ok := facts[0].Data().(events.RegistryEvent); !ok || !f.ReceivedAt.Equal(then) {
		t.Errorf("received at %s, want %s", f.ReceivedAt, then)
	}
}

// Whoever is killed in the middle of a replay does it again.
func TestReplayCutOffIsOneFact(t *testing.T) {
	r := local()
	r.Type = config.DockerHub // its facts have no ids
	s := start(t, nil, r)
	letter := s.parked(t, webhook(hub))
	var crashing *bus.Bus
	crashing, err := bus.Connect(t.Context(), bus.Options{
		URL: s.broker.srv.ClientURL(), Service: "crashing", Log: zap.NewNop(),
		Fail: func(p failpoint.Point, m failpoint.Moment) {
			if p == failpoint.DeadRemove && m == failpoint.Before {
				crashing.Close()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.New(crashing).Replay(t.Context(), letter, letter.Message()); err == nil {
		t.Fatal("the replay was not cut off")
	}
	s.readAgain(t)
	late := s.letters(t, 1)[0].Message()
	late.Header.Set(events.HeaderMessageID, "after the broker's window")
	if err := s.bus.PublishMessage(t.Context(), failpoint.DeadReplay, late); err != nil {
		t.Fatal(err)
	}
	s.replayed(t, letter)
	s.letters(t, 0)
	if facts := s.facts(t); len(facts) != 1 {
		t.Errorf("%d facts, want 1", len(facts))
	}
}

func TestWhatIsNotReadGoesBack(t *testing.T) {
	off := false
	quiet := local()
	quiet.Name, quiet.Webhook.Enabled = "quiet", &off
	for _, tt := range []struct {
		name   string
		change func(w *dead.Webhook)
		spoil  func(h nats.Header)
		reason string
	}{
		{name: "still not understood", reason: "not understood as distribution"},
		{name: "one member, still not understood", change: func(w *dead.Webhook) { w.Body = []byte(`{"events":[7]}`) }, reason: "not understood as distribution"},
		{name: "registry gone", change: func(w *dead.Webhook) { w.Registry = "gone" }, reason: "no such registry"},
		{name: "webhooks off", change: func(w *dead.Webhook) { w.Registry = "quiet" }, reason: "webhooks are off"},
		{name: "not a webhook", spoil: func(h nats.Header) { h.Del("Landwaiter-Webhook-Registry") }, reason: "not a webhook"},
		{name: "no time", spoil: func(h nats.Header) { h.Set("Landwaiter-Webhook-Received", "now") }, reason: "time received"},
		{name: "not gzip", spoil: func(h nats.Header) { h.Set("Landwaiter-Webhook-Encoding", "gzip") }, reason: "gzip"},
		{name: "more than any sender may send", change: func(w *dead.Webhook) { w.Body = make([]byte, 2*8<<20+1) }, reason: "over the limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, nil, local(), quiet)
			w := webhook(`{"no":"events"}`)
			if tt.change != nil {
				tt.change(&w)
			}
			letter := s.parked(t, w)
			if tt.spoil != nil {
				tt.spoil(letter.Header)
			}
			s.replayed(t, letter)
			back := s.letters(t, 1)[0]
			if back.Sequence == letter.Sequence || !strings.Contains(back.Reason, tt.reason) || !bytes.Equal(back.Data, letter.Data) {
				t.Errorf("letter %d with %d bytes: %s", back.Sequence, len(back.Data), back.Reason)
			}
			if !back.Replayable() || back.Subject != letter.Subject || back.Stream != events.Replays {
				t.Errorf("it cannot be replayed: %s %s", back.Stream, back.Subject)
			}
			if n := len(s.facts(t)); n != 0 {
				t.Errorf("%d facts", n)
			}
		})
	}
}

// What is understood of a delivery now is no longer dead; the rest is a letter
// of its own, as often as that is replayed.
func TestReplayUnderstandsAPart(t *testing.T) {
	s := start(t, nil, local())
	s.replayed(t, s.parked(t, webhook(strings.Replace(string(push("id-1")), `"events":[`, `"events":[7,`, 1))))
	for range 2 {
		rest := s.letters(t, 1)[0]
		if string(rest.Data) != `{"events":[7]}` || !rest.Replayable() {
			t.Errorf("left is %s", rest.Data)
		}
		s.replayed(t, rest)
	}
	if facts := s.facts(t); len(facts) != 1 || facts[0].ID() != "local/id-1" {
		t.Errorf("stored %v", facts)
	}
}

func TestParkKeepsWhatReplayNeeds(t *testing.T) {
	large := func(fill string) []byte { return []byte(`{"x":"` + fill + `"}`) }
	random := make([]byte, 2<<20)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name       string
		body       []byte
		replayable bool
	}{
		{"small", []byte("<xml/>"), true},
		{"as large as an event", large(strings.Repeat("x", events.MaxData-8)), true},
		{"larger", large(strings.Repeat("x", 2<<20)), true},
		{"larger, and as good as random", random, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, nil, local())
			if status, text := s.post(t, localPath, tt.body); status != http.StatusOK {
				t.Fatalf("answer %d %s", status, text)
			}
			l := s.letters(t, 1)[0]
			if l.Replayable() != tt.replayable || len(l.Data) > events.MaxData || l.Registry() != "local" || l.Consumer != "ingest" {
				t.Errorf("letter of %s by %s, replayable %v, %d bytes", l.Registry(), l.Consumer, l.Replayable(), len(l.Data))
			}
			w, err := dead.ParseWebhook(l.Message(), int64(len(tt.body)))
			if err != nil || w.Registry != "local" || w.Source != "distribution" || w.ReceivedAt.IsZero() {
				t.Fatalf("webhook %+v, %v", w, err)
			}
			if tt.replayable != bytes.Equal(w.Body, tt.body) || !bytes.HasPrefix(tt.body, w.Body) {
				t.Errorf("%d of %d bytes kept", len(w.Body), len(tt.body))
			}
		})
	}
}

var headerRead = regexp.MustCompile(`\.Get\("([A-Z][A-Za-z-]*[a-z])"\)`)

// A source that reads a header which is not kept could not read its deliveries
// again.
func TestParkKeepsWhatSourcesRead(t *testing.T) {
	files, err := filepath.Glob("internal/source/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range headerRead.FindAllSubmatch(raw, -1) {
			if name := string(found[1]); len(kept(http.Header{http.CanonicalHeaderKey(name): {"x"}})) == 0 {
				t.Errorf("%s reads %s, which is not kept", file, name)
			}
		}
	}
}

func TestParkKeepsNoSecret(t *testing.T) {
	s := start(t, nil, local())
	sent := map[string]bool{
		"Content-Type": true, "Ce-Type": true, "Ce-Id": true, "X-Github-Event": true, "X-Gitea-Delivery": true, "Aeg-Event-Type": true,
		"X-Nexus-Webhook-Id": true, "X-Amz-Sns-Message-Type": true, "X-Goog-Pubsub-Message-Id": true,
		"Authorization": false, "X-Hub-Signature-256": false, "X-Gitea-Signature": false, "Cookie": false, "X-Gitlab-Token": false,
		"Aeg-Sas-Key": false, "Ce-Authid": false, "X-Nexus-Webhook-Signature": false, "X-Other": false, "User-Agent": false,
	}
	header := http.Header{}
	for name := range sent {
		header.Set(name, "value of "+name)
	}
	if status, text := s.send(t, http.MethodPost, localPath, header, []byte("<xml/>")); status != http.StatusOK {
		t.Fatalf("answer %d %s", status, text)
	}
	l := s.letters(t, 1)[0]
	w, err := dead.ParseWebhook(l.Message(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range sent {
		if got := w.Header.Get(name); (got == "value of "+name) != want {
			t.Errorf("%s is kept as %q, want it kept: %v", name, got, want)
		}
	}
	for name, values := range l.Header {
		if strings.Contains(strings.Join(values, " "), "open-sesame") {
			t.Errorf("%s holds the secret", name)
		}
	}
}
