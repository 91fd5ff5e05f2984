package events

import (
	"fmt"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// Message is a broker message: what an Event becomes on the wire.
type Message struct {
	Subject string
	Header  map[string][]string
	Data    []byte
}

// The headers of the CloudEvents NATS protocol binding, version 1.0.
const (
	headerPrefix      = "ce-"
	headerContentType = "content-type"
	attributeContent  = "datacontenttype"
	// HeaderMessageID is the broker's de-duplication header.
	HeaderMessageID = "Nats-Msg-Id"
)

// Encode gives the event's message in the binary mode of the CloudEvents NATS
// protocol binding: attributes as percent-encoded headers, data as payload.
// The subject begins with the installation's prefix.
func (t Topology) Encode(e Event) Message {
	const usual = 9 // headers of an event without extensions
	h := headers{names: make(map[string][]string, usual), values: make([]string, 0, usual)}
	h.set(HeaderMessageID, e.id)
	h.set(headerContentType, cloudevents.ApplicationJSON)
	h.set(headerPrefix+"specversion", cloudevents.CloudEventsVersionV1)
	h.set(headerPrefix+"id", escape(e.id))
	h.set(headerPrefix+"type", escape(e.kind))
	h.set(headerPrefix+"source", escape(e.source))
	h.set(headerPrefix+"subject", escape(e.about))
	h.set(headerPrefix+"dataschema", escape(e.schema))
	if !e.time.IsZero() {
		h.set(headerPrefix+"time", types.FormatTime(e.time))
	}
	for name, value := range e.extensions {
		h.set(headerPrefix+name, escape(value))
	}
	return Message{Subject: t.Subject(e), Header: h.names, Data: e.raw}
}

// headers are made for every event, so all their values share one array.
type headers struct {
	names  map[string][]string
	values []string
}

// set adds a header with one value; there are no blank ones.
func (h *headers) set(name, value string) {
	if value == "" {
		return
	}
	h.values = append(h.values, value)
	last := len(h.values)
	h.names[name] = h.values[last-1 : last : last]
}

// escape percent-encodes what the binding asks for: space, double quote,
// percent, and everything outside printable ASCII.
func escape(s string) string {
	special := func(c byte) bool { return c <= ' ' || c == '"' || c == '%' || c >= 0x7f }
	if only(s, func(c byte) bool { return !special(c) }) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; special(c) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
