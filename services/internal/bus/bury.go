package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// The headers a dead letter carries beside its own.
const (
	HeaderDeadReason   = "Landwaiter-Dead-Reason"
	HeaderDeadSubject  = "Landwaiter-Dead-Subject"
	HeaderDeadStream   = "Landwaiter-Dead-Stream"
	HeaderDeadConsumer = "Landwaiter-Dead-Consumer"
	HeaderDeadSequence = "Landwaiter-Dead-Sequence"
	// HeaderDeadCut is set where the message and its reason were over the
	// broker's limit together: how many bytes of data there were.
	HeaderDeadCut = "Landwaiter-Dead-Cut"
)

const (
	// brokerHeaders begin with this; the broker acts on them.
	brokerHeaders = "Nats-"
	// deadPrefix goes before a broker header that is only to be kept.
	deadPrefix = "Landwaiter-Dead-"
)

// bury keeps the whole message, with the reason, before it is acknowledged.
func (b *Bus) bury(ctx context.Context, s settlement, meta *jetstream.MsgMetadata) error {
	dead := b.deadLetter(s, meta)
	return b.fail.Around(failpoint.DeadPublish, func() error {
		if _, err := b.js.PublishMsg(ctx, dead); err != nil {
			return fmt.Errorf("publish dead letter: %w", err)
		}
		return nil
	})
}

func (b *Bus) deadLetter(s settlement, meta *jetstream.MsgMetadata) *nats.Msg {
	dead := nats.NewMsg(b.topology.DeadSubject(s.consumption.Durable.Stream))
	for name, values := range s.message.Headers() {
		// A stranger's expectation of a stream or a sequence would make the
		// broker refuse the dead letter, again and again.
		if strings.HasPrefix(name, brokerHeaders) {
			name = deadPrefix + name
		}
		dead.Header[name] = values
	}
	dead.Data = s.message.Data()
	dead.Header.Set(HeaderDeadReason, oneLine(s.err.Error()))
	dead.Header.Set(HeaderDeadSubject, s.message.Subject())
	dead.Header.Set(HeaderDeadConsumer, s.consumption.Durable.Name)
	id := s.message.Headers().Get(events.HeaderMessageID)
	if meta != nil {
		sequence := strconv.FormatUint(meta.Sequence.Stream, 10)
		dead.Header.Set(HeaderDeadStream, meta.Stream)
		dead.Header.Set(HeaderDeadSequence, sequence)
		id = meta.Stream + "/" + sequence + "/" + s.consumption.Durable.Name
	}
	dead.Header.Set(events.HeaderMessageID, "dead/"+id)
	b.cut(dead)
	return dead
}

// cut makes a dead letter fit the broker's limit, which its headers may have
// taken it over.
func (b *Bus) cut(dead *nats.Msg) {
	const room = 1024 // for the marks of the protocol and HeaderDeadCut itself
	over := int64(dead.Size()+room) - b.nc.MaxPayload()
	if over <= 0 || b.nc.MaxPayload() <= 0 {
		return
	}
	dead.Header.Set(HeaderDeadCut, strconv.Itoa(len(dead.Data)))
	dead.Data = dead.Data[:max(0, int64(len(dead.Data))-over)]
}

// oneLine makes a reason fit for a header.
func oneLine(s string) string {
	const most = 1024
	out := make([]rune, 0, min(len(s), most))
	for _, r := range s {
		if len(out) == most {
			break
		}
		if r < ' ' {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}
