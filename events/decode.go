package events

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// ErrNoEvent is what Decode answers for a message that is no CloudEvent.
var ErrNoEvent = errors.New("not a CloudEvent")

// Decode reads a message in either mode of the CloudEvents NATS protocol
// binding. Header names count in any case. It returns ErrNoEvent,
// ErrUnknownType or what is wrong with the data.
func Decode(m Message) (Event, error) {
	if len(m.Data) > 2*MaxData {
		return Event{}, fmt.Errorf("%w: %d bytes are over the limit of %d", ErrNoEvent, len(m.Data), 2*MaxData)
	}
	h := lowerHeaders(m.Header)
	ce := cloudevents.New(cloudevents.CloudEventsVersionV1)
	var err error
	if mode := mediaType(h[headerContentType]); strings.HasPrefix(mode, "application/cloudevents") {
		err = decodeStructured(&ce, mode, m.Data)
	} else {
		err = decodeBinary(&ce, h, m.Data)
	}
	if err != nil {
		return Event{}, err
	}
	return fromCloudEvent(ce)
}

func decodeStructured(ce *cloudevents.Event, mode string, data []byte) error {
	if mode != cloudevents.ApplicationCloudEventsJSON {
		return fmt.Errorf("%w: structured mode in %s is not supported, use JSON", ErrNoEvent, clip(mode))
	}
	if err := json.Unmarshal(data, ce); err != nil {
		return fmt.Errorf("%w: %w", ErrNoEvent, err)
	}
	return nil
}

func decodeBinary(ce *cloudevents.Event, h map[string]string, data []byte) error {
	if h[headerPrefix+"specversion"] != cloudevents.CloudEventsVersionV1 {
		return fmt.Errorf("%w: header ce-specversion is %q", ErrNoEvent, clip(h[headerPrefix+"specversion"]))
	}
	for name, raw := range h {
		attribute, isAttribute := strings.CutPrefix(name, headerPrefix)
		if !isAttribute || attribute == "specversion" || attribute == attributeContent {
			continue
		}
		value, err := url.PathUnescape(raw)
		if err != nil {
			return fmt.Errorf("%w: header %s: %w", ErrNoEvent, clip(name), err)
		}
		if err := setAttribute(ce, attribute, value); err != nil {
			return fmt.Errorf("%w: attribute %s: %w", ErrNoEvent, clip(attribute), err)
		}
	}
	if err := ce.SetData(cloudevents.ApplicationJSON, json.RawMessage(data)); err != nil {
		return fmt.Errorf("%w: data: %w", ErrNoEvent, err)
	}
	// Some senders write the data's type as an attribute, some as content-type.
	ce.SetDataContentType(cmp.Or(h[headerContentType], h[headerPrefix+attributeContent]))
	return nil
}

func setAttribute(ce *cloudevents.Event, name, value string) error {
	switch name {
	case "id":
		ce.SetID(value)
	case "type":
		ce.SetType(value)
	case "source":
		ce.SetSource(value)
	case "subject":
		ce.SetSubject(value)
	case "dataschema":
		ce.SetDataSchema(value)
	case "time":
		at, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return fmt.Errorf("parse time: %w", err)
		}
		ce.SetTime(at)
	default:
		return ce.Context.SetExtension(name, value)
	}
	return nil
}

// fromCloudEvent checks the envelope and the data: what passes is an Event.
func fromCloudEvent(ce cloudevents.Event) (Event, error) {
	if err := normalize(&ce); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrNoEvent, err)
	}
	kind, err := kindOfType(ce.Type())
	if err != nil {
		return Event{}, err
	}
	meta := Meta{ID: ce.ID(), Source: ce.Source()}
	if err := meta.validateNames(); err != nil {
		return Event{}, fmt.Errorf("event %s: %w", kind, err)
	}
	d, err := kind.shape().decode(kind, ce.Data())
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", kind, err)
	}
	return Event{envelope: unwrap(ce), raw: ce.Data(), data: d}, nil
}

// normalize checks the attributes that do not depend on the kind, and brings
// to one form what senders may write in several, so that an event is the same
// whichever way it came.
func normalize(ce *cloudevents.Event) error {
	if ce.SpecVersion() != cloudevents.CloudEventsVersionV1 {
		return fmt.Errorf("specversion is %q", clip(ce.SpecVersion()))
	}
	if err := ce.Validate(); err != nil {
		return err
	}
	if t := mediaType(ce.DataContentType()); t != "" && t != cloudevents.ApplicationJSON {
		return fmt.Errorf("data is %s, want JSON", clip(t))
	}
	ce.SetDataContentType(cloudevents.ApplicationJSON)
	ce.DataBase64 = false
	for _, s := range []string{ce.ID(), ce.Subject()} {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%q is not UTF-8", clip(s))
		}
	}
	return normalizeContext(ce)
}

// normalizeContext does the same for the attributes that may be absent.
func normalizeContext(ce *cloudevents.Event) error {
	if at := ce.Time().UTC(); !at.IsZero() {
		if at.Year() < 1 || at.Year() > 9999 {
			return errors.New("time is out of range")
		}
		ce.SetTime(at)
	}
	for name, value := range ce.Extensions() {
		s, err := types.Format(value)
		if err != nil || !utf8.ValidString(s) {
			return fmt.Errorf("extension %s is not valid", clip(name))
		}
		// A broken trace must not keep a fact from being heard.
		if name == extensionTrace && !traceForm.MatchString(s) {
			ce.SetExtension(name, nil)
			continue
		}
		ce.SetExtension(name, s)
	}
	return nil
}

// mediaType is a content type without parameters, in lower case.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// lowerHeaders is the first value of every header, by the name in lower case.
// Of names that differ in case only the first in order counts.
func lowerHeaders(h map[string][]string) map[string]string {
	out := make(map[string]string, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		lower := strings.ToLower(name)
		if _, seen := out[lower]; !seen && len(h[name]) > 0 {
			out[lower] = h[name][0]
		}
	}
	return out
}
