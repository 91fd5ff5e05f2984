package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

var errForm = errors.New("read form: want a payload and nothing else")

// payload is the JSON of a delivery: its body, or what a form holds under
// payload, as GitHub and Gitea send it where they are told to. A form with
// anything else in it is refused, because its signature may be over the
// payload alone.
func payload(h http.Header, body []byte) ([]byte, error) {
	if t, _, _ := mime.ParseMediaType(h.Get("Content-Type")); t != "application/x-www-form-urlencoded" {
		return body, nil
	}
	escaped, ok := strings.CutPrefix(string(body), "payload=")
	if !ok || strings.Contains(escaped, "&") {
		return nil, errForm
	}
	text, err := url.QueryUnescape(escaped)
	if err != nil {
		return nil, fmt.Errorf("read form: %w", err)
	}
	return []byte(text), nil
}

// given reports whether a value was sent at all.
func given(raw json.RawMessage) bool {
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
}
