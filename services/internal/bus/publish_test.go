package bus_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// Only what the broker has is confirmed, and its reason is told.
func TestPublishTellsOfARefusal(t *testing.T) {
	_, b := start(t)
	publish(t, b, pushed(t, "stored"))
	publish(t, b, pushed(t, "stored")) // once more is no error
	js, name := b.JetStream(), b.Topology().Stream(events.Registry)
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.MaxMsgSize = 1
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	err = b.Publish(t.Context(), failpoint.IngestPublish, pushed(t, "too-large"))
	if _, told := errors.AsType[*jetstream.APIError](err); !told || !errors.Is(err, bus.ErrBroker) {
		t.Errorf("a message that the stream refuses: %v, want what the broker says", err)
	}
	if info, err := stream.Info(t.Context()); err != nil || info.State.Msgs != 1 {
		t.Errorf("%d messages stored, want 1 (%v)", info.State.Msgs, err)
	}
	if err := js.DeleteStream(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	err = b.Publish(t.Context(), failpoint.IngestPublish, pushed(t, "nowhere"))
	if !errors.Is(err, jetstream.ErrNoStreamResponse) || !errors.Is(err, bus.ErrBroker) {
		t.Errorf("a message without a stream: %v, want that there is none", err)
	}
}
