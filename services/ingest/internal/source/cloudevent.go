package source

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// cloudEvent is a CloudEvent 1.0 as a sender wrote it. The SDK's own type is
// too strict here: one impossible time would refuse the whole delivery.
type cloudEvent struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Source  string          `json:"source"`
	Subject string          `json:"subject"`
	Time    json.RawMessage `json:"time"`
	Data    json.RawMessage `json:"data"`
	raw     []byte          // the event alone, in structured mode
}

// isCloudEvents reports whether a delivery says that it is in any of the modes
// of the HTTP binding: binary, structured, batch.
func isCloudEvents(h http.Header) bool {
	const family = "application/cloudevents"
	t := strings.TrimSpace(h.Get("Content-Type"))
	return h.Get("Ce-Type") != "" || len(t) >= len(family) && strings.EqualFold(t[:len(family)], family)
}

// cloudEvents reads all modes. Structured events are also taken without their
// content type, alone or in a list. Members that cannot be read are odd.
func cloudEvents(h http.Header, body []byte) ([]cloudEvent, []Odd, error) {
	if kind := h.Get("Ce-Type"); kind != "" {
		return []cloudEvent{binaryEvent(h, body)}, nil, nil
	}
	parts, err := members(body)
	if err != nil {
		return nil, nil, err
	}
	var list []cloudEvent
	var odd []Odd
	for _, raw := range parts {
		e := cloudEvent{raw: raw}
		err := decodeMost(raw, &e)
		if err == nil && e.Type == "" {
			err = errors.New("decode event: no type")
		}
		if err != nil {
			odd = append(odd, Odd{Body: raw, Err: err})
			continue
		}
		list = append(list, e)
	}
	if len(list) == 0 && len(odd) == 1 { // the delivery as a whole
		return nil, nil, odd[0].Err
	}
	return list, odd, nil
}

// binaryEvent reads the mode with the attributes in headers.
func binaryEvent(h http.Header, body []byte) cloudEvent {
	attribute := func(name string) string {
		v := h.Get("Ce-" + name)
		if decoded, err := url.PathUnescape(v); err == nil {
			return decoded
		}
		return v
	}
	quoted := strconv.AppendQuote(nil, attribute("Time"))
	return cloudEvent{
		ID: attribute("Id"), Type: attribute("Type"), Source: attribute("Source"), Subject: attribute("Subject"),
		Time: quoted, Data: body, raw: body,
	}
}
