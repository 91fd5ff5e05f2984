package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// updated is what zot publishes when a tag is pushed.
func updated(id string) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"zotregistry.dev","type":"zotregistry.image.updated","time":"2026-11-20T12:00:00Z",
		"datacontenttype":"application/json","data":{"name":"team/web","reference":"1","digest":%q,"mediaType":"application/vnd.oci.image.manifest.v1+json"}}`, id, digest)
}

// zot is a registry that publishes to a server of its own.
func zot(url, stream string) config.Registry {
	r := local()
	r.Name, r.Type = "zot", config.Zot
	r.Webhook.NATS = &config.WebhookNATS{URL: url, Subject: "zot.events", Stream: stream}
	return r
}

func dial(t *testing.T, b *broker) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(b.srv.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestSubjectIsReadAsItPasses(t *testing.T) {
	theirs := startBroker(t)
	s := start(t, nil, zot(theirs.srv.ClientURL(), ""))
	nc := dial(t, theirs)
	s.until(t, "somebody listens", func() bool {
		return theirs.srv.NumSubscriptions() > 0 && publish(nc, updated("one")) && len(s.facts(t)) > 0
	})
	facts := s.facts(t)
	if len(facts) != 1 || facts[0].ID() != "zot/one" { // published many times, with one id
		t.Errorf("stored %v", facts)
	}
}

func publish(nc *nats.Conn, body []byte) bool {
	return nc.Publish("zot.events", body) == nil && nc.Flush() == nil
}

// What a stream holds is read though it was published while nobody read it, and
// is acknowledged only once it is stored here: our own broker was away.
func TestSubjectIsReadFromItsStream(t *testing.T) {
	theirs := startBroker(t)
	nc := dial(t, theirs)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ZOT", Subjects: []string{"zot.>"}}); err != nil {
		t.Fatal(err)
	}
	for _, body := range [][]byte{updated("early"), []byte("no event"), updated("second")} {
		if _, err := js.Publish(t.Context(), "zot.events", body); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, nil, zot(theirs.srv.ClientURL(), "ZOT"))
	s.until(t, "both events", func() bool { return len(s.facts(t)) == 2 })
	s.broker.stop()
	if _, err := js.Publish(t.Context(), "zot.events", updated("meanwhile")); err != nil {
		t.Fatal(err)
	}
	s.broker.start(t)
	s.until(t, "broker back for the test", s.bus.Connected)
	s.until(t, "the one that was published while ours was away", func() bool { return len(s.facts(t)) == 3 })
	cons, err := js.Consumer(t.Context(), "ZOT", "landwaiter-zot")
	if err != nil {
		t.Fatal(err)
	}
	s.until(t, "all are acknowledged", func() bool {
		info, err := cons.Info(t.Context())
		return err == nil && info.NumAckPending == 0 && info.NumPending == 0
	})
	if got := len(s.stored(t, "DEAD")); got != 1 {
		t.Errorf("%d dead letters, want the one that is no event", got)
	}
}

func TestSubscriptionEndsWithItsRegistry(t *testing.T) {
	theirs := startBroker(t)
	s := start(t, nil)
	r := zot(theirs.srv.ClientURL(), "")
	rec, err := s.store.Registries.Create(t.Context(), failpoint.ConfigRegistry, r.Name, state.Managed[config.Registry]{Value: r})
	if err != nil {
		t.Fatal(err)
	}
	s.until(t, "a client at their server", func() bool { return theirs.srv.NumClients() == 1 })
	if err := s.store.Registries.Delete(t.Context(), failpoint.ConfigRegistry, rec); err != nil {
		t.Fatal(err)
	}
	s.until(t, "no client any more", func() bool { return theirs.srv.NumClients() == 0 })
}
