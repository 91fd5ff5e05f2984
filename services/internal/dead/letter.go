// Package dead lists, reads and replays dead letters: what could not be handled
// and was kept whole on the DEAD stream, with the reason.
package dead

import (
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
)

// Letter is a dead letter.
type Letter struct {
	Sequence uint64            // on the DEAD stream
	Stream   events.StreamName // what it was on
	// Subject is where it was, and goes when it is replayed; blank: nobody
	// kept that.
	Subject  string
	Reason   string
	Consumer string // who could not handle it; blank: nobody said
	At       time.Time
	Header   nats.Header // all of it
	Size     int         // of the data, in bytes
	Data     []byte      // nil in a list
}

// deadHeaders begin with this: they tell of the letter, not of its message.
const deadHeaders = "Landwaiter-Dead-"

// brokerHeaders begin with this; the broker acts on them, and adds its own.
const brokerHeaders = "Nats-"

func newLetter(subject string, sequence uint64, at time.Time, h nats.Header) Letter {
	return Letter{
		Sequence: sequence, At: at, Header: h,
		Stream:  events.StreamName(subject[strings.LastIndex(subject, ".")+1:]),
		Subject: h.Get(bus.HeaderDeadSubject), Reason: h.Get(bus.HeaderDeadReason), Consumer: h.Get(bus.HeaderDeadConsumer),
	}
}

// ID names the letter in the installation.
func (l Letter) ID() string { return strconv.FormatUint(l.Sequence, 10) }

// Replayable reports whether the letter holds a whole message and the place it
// belongs to.
func (l Letter) Replayable() bool {
	return l.Subject != "" && l.Header.Get(bus.HeaderDeadCut) == ""
}

// Registry is the configured name of the registry that the letter is about;
// blank where its subject does not tell.
func (l Letter) Registry() string {
	switch l.Stream { //nolint:exhaustive // the others' subjects end in something else
	case events.Registry, events.Plans, events.Results, events.Replays:
		if name := l.Subject[strings.LastIndex(l.Subject, ".")+1:]; events.ValidName(name) {
			return name
		}
	}
	return ""
}

// MessageID is the message id that the letter is replayed under: the same each
// time, and no other's.
func (l Letter) MessageID() string { return "replay/" + l.ID() }

// Message is the message as it was, under the letter's message id.
func (l Letter) Message() *nats.Msg {
	m := nats.NewMsg(l.Subject)
	for name, values := range l.Header {
		if !strings.HasPrefix(name, deadHeaders) && !strings.HasPrefix(name, brokerHeaders) {
			m.Header[name] = values
		}
	}
	m.Header.Set(events.HeaderMessageID, l.MessageID())
	m.Data = l.Data
	return m
}
