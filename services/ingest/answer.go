package ingest

import (
	"encoding/json"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/ingest/internal/source"
)

// outcome is what became of a delivery's events.
type outcome struct {
	accepted int
	ignored  []source.Reason
}

// mostReasons bounds the answer: an envelope may hold thousands of events.
const mostReasons = 20

// accept answers an authentic delivery whose events are stored or ignored on
// purpose.
func (r *receiver) accept(w http.ResponseWriter, e endpoint, o outcome) {
	for _, reason := range o.ignored {
		r.metrics.ignored.WithLabelValues(e.name, string(reason)).Inc()
	}
	status := http.StatusAccepted
	if o.accepted == 0 {
		status = http.StatusOK
	}
	r.metrics.deliveries.WithLabelValues(strconv.Itoa(status)).Inc()
	r.answer(w, status, "application/json", map[string]any{
		"accepted": o.accepted, "ignored": append([]source.Reason{}, o.ignored[:min(len(o.ignored), mostReasons)]...),
	})
}

// refuse answers with a problem document (RFC 9457).
func (r *receiver) refuse(w http.ResponseWriter, status int, detail string) {
	r.metrics.deliveries.WithLabelValues(strconv.Itoa(status)).Inc()
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	r.answer(w, status, "application/problem+json", map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail,
	})
}

func (r *receiver) answer(w http.ResponseWriter, status int, contentType string, body map[string]any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		r.log.Debug("answer not sent", zap.Error(err))
	}
}
