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
	attributes := map[string]string{
		"specversion": e.ce.SpecVersion(),
		"id":          e.ce.ID(),
		"type":        e.ce.Type(),
		"source":      e.ce.Source(),
		"subject":     e.ce.Subject(),
		"dataschema":  e.ce.DataSchema(),
	}
	if at := e.ce.Time(); !at.IsZero() {
		attributes["time"] = types.FormatTime(at)
	}
	for name, value := range e.ce.Extensions() {
		if s, err := types.Format(value); err == nil {
			attributes[name] = s
		}
	}
	h := map[string][]string{
		HeaderMessageID:   {e.ID()},
		headerContentType: {cloudevents.ApplicationJSON},
	}
	for name, value := range attributes {
		if value != "" {
			h[headerPrefix+name] = []string{escape(value)}
		}
	}
	return Message{Subject: t.Subject(e), Header: h, Data: e.ce.Data()}
}

// escape percent-encodes what the binding asks for: space, double quote,
// percent, and everything outside printable ASCII.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c == '"' || c == '%' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
