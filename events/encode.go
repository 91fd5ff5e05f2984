package events

import (
	"encoding/json"
	"strconv"
	"time"
)

// encode is json.Marshal. What comes by thousands a second is written by hand
// where it has nothing odd, to the same bytes.
func encode(d Data) ([]byte, error) {
	if e, ok := d.(RegistryEvent); ok {
		if raw, ok := e.plain(); ok {
			return raw, nil
		}
	}
	return json.Marshal(d)
}

// plain is the event as JSON; false where something in it needs an escape.
func (e RegistryEvent) plain() ([]byte, bool) {
	const usual = 512
	o := object{raw: append(make([]byte, 0, usual), '{')}
	o.text("registry", e.Registry)
	o.text("host", e.Host)
	o.optional("repository", e.Repository)
	o.optional("tag", e.Tag)
	o.optional("digest", string(e.Digest))
	o.optional("mediaType", e.MediaType)
	o.text("action", string(e.Action))
	o.optional("class", string(e.Class))
	o.optional("os", e.OS)
	o.optional("architecture", e.Architecture)
	o.optional("actor", e.Actor)
	if e.Size != 0 {
		o.name("size")
		o.raw = strconv.AppendInt(o.raw, e.Size, 10)
	}
	if !e.OccurredAt.IsZero() {
		o.moment("occurredAt", e.OccurredAt)
	}
	o.moment("receivedAt", e.ReceivedAt)
	o.optional("deliveryId", e.DeliveryID)
	o.text("source", e.Source)
	return append(o.raw, '}'), !o.odd
}

// object is a JSON object on its way.
type object struct {
	raw []byte
	odd bool // it holds something that would have to be escaped
}

func (o *object) name(s string) {
	if len(o.raw) > 1 {
		o.raw = append(o.raw, ',')
	}
	o.raw = append(append(append(o.raw, '"'), s...), `":`...)
}

func (o *object) text(name, value string) {
	o.name(name)
	o.odd = o.odd || !only(value, isLiteral)
	o.raw = append(append(append(o.raw, '"'), value...), '"')
}

func (o *object) optional(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) moment(name string, at time.Time) {
	o.name(name)
	o.odd = o.odd || at.Location() != time.UTC || at.Year() < 0 || at.Year() > 9999
	o.raw = append(at.AppendFormat(append(o.raw, '"'), time.RFC3339Nano), '"')
}

// isLiteral is for what stands for itself in a string of encoding/json.
func isLiteral(c byte) bool {
	switch c {
	case '"', '\\', '<', '>', '&':
		return false
	default:
		return ' ' <= c && c <= '~'
	}
}
