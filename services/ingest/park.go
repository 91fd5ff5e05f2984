package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/ingest/internal/source"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/dead"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// park keeps an authentic body that is not of the expected format on the DEAD
// stream, for whoever configured the registry to look at, and to be replayed
// once it would be understood. It is kept once however often it is sent again.
func (r *receiver) park(ctx context.Context, d delivery, odd source.Odd) error {
	name := d.endpoint.name
	w := dead.Webhook{
		Registry: name, Source: d.endpoint.format.Name, ID: uuid.NewString(), ReceivedAt: d.at,
		Header: kept(d.header), Body: odd.Body,
	}
	msg := w.Message(r.bus.Topology().ReplaySubject(name))
	sum := sha256.Sum256(odd.Body)
	msg.Header.Set(events.HeaderMessageID, "dead/ingest/"+name+"/"+hex.EncodeToString(sum[:]))
	msg.Header.Set(bus.HeaderDeadConsumer, "ingest")
	return r.bus.PublishDeadMessage(ctx, failpoint.DeadPublish, events.Replays, msg, d.notUnderstood(odd).Error())
}

// notUnderstood is the reason of a dead letter.
func (d delivery) notUnderstood(odd source.Odd) error {
	return fmt.Errorf("webhook of registry %s not understood as %s: %w", d.endpoint.name, d.endpoint.format.Name, odd.Err)
}

// kept are the headers that some source reads, and none that proves who the
// sender is: a dead letter is shown to people.
func kept(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		if !dead.Proves(name) && telling(strings.ToLower(name)) {
			out[name] = values
		}
	}
	return out
}

// telling reports whether a header, in lower case, tells what is delivered.
func telling(name string) bool {
	for _, family := range []string{"ce-", "aeg-", "x-amz-sns-", "x-goog-pubsub-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	switch name {
	case "content-type", "traceparent", "x-nexus-webhook-id", "x-nexus-webhook-delivery",
		"x-github-event", "x-github-delivery", "x-gitea-event", "x-gitea-event-type", "x-gitea-delivery",
		"x-forgejo-event", "x-forgejo-event-type", "x-forgejo-delivery", "x-gogs-event", "x-gogs-event-type", "x-gogs-delivery":
		return true
	}
	return false
}
