// Package events is the contract between landwaiter's services and with
// everyone who subscribes to its results: the event types, their CloudEvents
// form in the NATS protocol binding, and the subjects, streams and consumers
// they travel on. It imports no service and no broker client.
package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Data is what an event says. Only the types of this package implement it.
type Data interface {
	kind() Kind
	// route gives the subject's tokens after the event's name.
	route() []string
	// about is the CloudEvents subject: the image reference, or another name
	// of what the event is about.
	about() string
	validate() error
}

// Event is a valid event. Only New and Decode make one, so that no handler
// has to check again what it is given.
type Event struct {
	envelope
	raw  []byte // data as JSON, with what a later version may have said
	data Data
}

// Meta is what surrounds an event's data.
type Meta struct {
	// ID identifies the fact: two deliveries of one fact have the same id. It
	// is also the broker's message id. Required, at most 512 bytes.
	ID string
	// Source is the service that speaks, and the registry where there is one:
	// "ingest/hub". Required.
	Source string
	// Time is when it happened. Required.
	Time time.Time
	// TraceParent is the W3C trace context, where there is one.
	TraceParent string
}

// extensionTrace is the attribute of the distributed tracing extension.
const extensionTrace = "traceparent"

var traceForm = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// Limits of an event.
const (
	maxID   = 512
	MaxData = 512 << 10 // bytes of JSON; the broker's own limit is 1 MiB
)

const schemaBase = "https://landwaiter.dev/schemas/"

// New makes an event of d, or says everything that is wrong with it.
func New(d Data, m Meta) (Event, error) {
	if err := errors.Join(m.validate(), d.validate()); err != nil {
		return Event{}, fmt.Errorf("event %s: %w", d.kind(), err)
	}
	raw, err := encode(d)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: encode data: %w", d.kind(), err)
	}
	if len(raw) > MaxData {
		return Event{}, fmt.Errorf("event %s: data of %d bytes is over the limit of %d", d.kind(), len(raw), MaxData)
	}
	e, err := m.surround(d)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", d.kind(), err)
	}
	return Event{envelope: e, raw: raw, data: d}, nil
}

func (m Meta) validate() error {
	return errors.Join(
		m.validateNames(),
		m.validateTime(),
		check(m.TraceParent == "" || traceForm.MatchString(m.TraceParent), extensionTrace, m.TraceParent),
	)
}

func (m Meta) validateTime() error {
	if m.Time.IsZero() || m.Time.UTC().Year() > 9999 {
		return check(false, "time", m.Time.String())
	}
	return nil
}

// validateNames checks what every event has, also one from a sender who left
// out its time, as CloudEvents allows.
func (m Meta) validateNames() error {
	return errors.Join(
		check(strings.TrimSpace(m.ID) != "" && len(m.ID) <= maxID && printable(m.ID), "id", m.ID),
		check(m.Source != "" && printable(m.Source), "source", m.Source),
	)
}

// printable keeps ids and sources fit for a header and a log line.
func printable(s string) bool {
	for _, r := range s {
		if r <= ' ' || r == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// ID is the event's id and its message id on the broker.
func (e Event) ID() string { return e.id }

// Kind is what the event is about.
func (e Event) Kind() Kind { return e.data.kind() }

// Time is when it happened; zero where a foreign sender did not say.
func (e Event) Time() time.Time { return e.time }

// Source is who said it.
func (e Event) Source() string { return e.source }

// About is the CloudEvents subject, such as an image reference.
func (e Event) About() string { return e.about }

// TraceParent is the W3C trace context, or empty.
func (e Event) TraceParent() string { return e.extensions[extensionTrace] }

// Data is the event's payload: a switch over its type tells the kinds apart.
func (e Event) Data() Data { return e.data }

// JSON is the event in the CloudEvents structured form.
func (e Event) JSON() ([]byte, error) {
	raw, err := json.Marshal(e.wrap())
	if err != nil {
		return nil, fmt.Errorf("event %s: encode: %w", e.Kind(), err)
	}
	return raw, nil
}
