package events

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// envelope is what surrounds an event's data: the attributes of CloudEvents as
// plain values. The SDK reads messages and writes the structured form; it has
// no part in what is published, where it would only check once more.
type envelope struct {
	id, kind, source, about, schema string // kind is the CloudEvents type
	time                            time.Time
	extensions                      map[string]string
}

// surround makes the envelope of d, both of which are valid.
func (m Meta) surround(d Data) (envelope, error) {
	source, err := url.Parse("landwaiter/" + m.Source)
	if err != nil {
		return envelope{}, fmt.Errorf("source: %w", err)
	}
	e := envelope{
		id: strings.TrimSpace(m.ID), kind: d.kind().Type(), source: source.String(), about: strings.TrimSpace(d.about()),
		schema: schemaBase + d.kind().SchemaFile(), time: m.Time.UTC(),
	}
	if m.TraceParent != "" {
		e.extensions = map[string]string{extensionTrace: m.TraceParent}
	}
	return e, nil
}

// unwrap takes the attributes of an event whose extensions are strings, as
// normalize leaves them.
func unwrap(ce cloudevents.Event) envelope {
	e := envelope{
		id: ce.ID(), kind: ce.Type(), source: ce.Source(), about: ce.Subject(),
		schema: ce.DataSchema(), time: ce.Time(), extensions: make(map[string]string, len(ce.Extensions())),
	}
	for name, value := range ce.Extensions() {
		e.extensions[name], _ = value.(string)
	}
	return e
}

// wrap is the event as the SDK has it.
func (e Event) wrap() cloudevents.Event {
	ce := cloudevents.New(cloudevents.CloudEventsVersionV1)
	ce.SetID(e.id)
	ce.SetType(e.kind)
	ce.SetSource(e.source)
	ce.SetSubject(e.about)
	ce.SetDataSchema(e.schema)
	ce.SetTime(e.time)
	ce.SetDataContentType(cloudevents.ApplicationJSON)
	ce.DataEncoded = e.raw
	for name, value := range e.extensions {
		ce.SetExtension(name, value)
	}
	return ce
}
