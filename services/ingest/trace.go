package ingest

import (
	"net/http"
	"regexp"
)

var traceForm = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// traceParent is the sender's W3C trace context, blank where it has none or a
// broken one.
func traceParent(h http.Header) string {
	if s := h.Get("Traceparent"); traceForm.MatchString(s) {
		return s
	}
	return ""
}
