package dead_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/dead"
)

func webhook(body []byte) dead.Webhook {
	return dead.Webhook{
		Registry: "hub", Source: "dockerhub", ID: "w1", ReceivedAt: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC),
		Header: http.Header{"Content-Type": {"application/json"}, "Ce-Type": {"a", "b"}}, Body: body,
	}
}

func TestWebhookComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, events.MaxData, events.MaxData + 1, 8 << 20} {
		want := webhook(bytes.Repeat([]byte("x"), size))
		m := want.Message("landwaiter.replay.hub")
		if len(m.Data) > events.MaxData || m.Header.Get(bus.HeaderDeadCut) != "" {
			t.Errorf("%d bytes kept as %d, cut %q", size, len(m.Data), m.Header.Get(bus.HeaderDeadCut))
		}
		got, err := dead.ParseWebhook(m, int64(size))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d bytes (-want +got):\n%s", size, diff)
		}
		if size > 0 {
			if _, err := dead.ParseWebhook(m, int64(size-1)); !errors.Is(err, dead.ErrTooLarge) {
				t.Errorf("%d bytes, one too many: %v", size, err)
			}
		}
	}
}

// A small message may stand for a large body: no more of it is read than asked
// for.
func TestLetterIsReadToALimit(t *testing.T) {
	t.Parallel()
	m := webhook(bytes.Repeat([]byte("x"), 8<<20)).Message("landwaiter.replay.hub")
	l := dead.Letter{Header: m.Header, Data: m.Data}
	if data, whole := l.Read(1000); len(data) != 1000 || whole {
		t.Errorf("%d bytes, whole %v", len(data), whole)
	}
	if data, whole := l.Read(64 << 20); len(data) != 8<<20 || !whole {
		t.Errorf("%d bytes, whole %v", len(data), whole)
	}
	l.Data = l.Data[:len(l.Data)/2]
	if _, whole := l.Read(64 << 20); whole {
		t.Error("half of it counts as whole")
	}
	l.Data = []byte("not gzip")
	if data, _ := l.Read(100); string(data) != "not gzip" {
		t.Errorf("what is no gzip is read as %q", data)
	}
}

func FuzzParseWebhook(f *testing.F) {
	f.Add("hub", "w1", "2026-03-04T05:06:07Z", "", []byte("{}"))
	large := webhook(bytes.Repeat([]byte("x"), events.MaxData+1)).Message("s")
	f.Add("hub", "w1", "2026-03-04T05:06:07Z", "gzip", large.Data)
	f.Add("", "", "now", "zip", []byte{})
	const limit = 4096
	f.Fuzz(func(t *testing.T, registry, id, received, encoding string, data []byte) {
		m := &nats.Msg{Header: nats.Header{
			"Landwaiter-Webhook-Registry": {registry}, "Landwaiter-Webhook-Id": {id},
			"Landwaiter-Webhook-Received": {received}, "Landwaiter-Webhook-Encoding": {encoding},
		}, Data: data}
		w, err := dead.ParseWebhook(m, limit)
		switch {
		case err == nil && (w.Registry == "" || w.ID == "" || len(w.Body) > limit):
			t.Errorf("taken: %q %q with %d bytes", w.Registry, w.ID, len(w.Body))
		case err != nil && !errors.Is(err, dead.ErrNotWebhook) && !errors.Is(err, dead.ErrTooLarge):
			t.Errorf("error of no kind: %v", err)
		}
	})
}
