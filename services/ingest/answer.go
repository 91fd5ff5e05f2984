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
	answer   *source.Answer       // what the sender wants to read, if anything
	confirm  *source.Confirmation // what the sender wants confirmed, if anything
}

// mostReasons bounds the answer: an envelope may hold thousands of events.
const mostReasons = 20

// receipt is the body of an answer.
type receipt struct {
	Accepted int             `json:"accepted"`
	Ignored  []source.Reason `json:"ignored"`
}

// accept answers an authentic delivery whose events are stored or ignored on
// purpose.
func (r *receiver) accept(w http.ResponseWriter, e endpoint, o outcome) {
	r.count(e, o)
	status := http.StatusAccepted
	if o.accepted == 0 || o.answer != nil {
		status = http.StatusOK
	}
	r.metrics.deliveries.WithLabelValues(strconv.Itoa(status)).Inc()
	if o.answer != nil {
		r.write(w, status, o.answer.ContentType, o.answer.Body)
		return
	}
	r.answer(w, status, "application/json", receipt{o.accepted, append([]source.Reason{}, o.ignored[:min(len(o.ignored), mostReasons)]...)})
}

// count counts what was ignored, and why.
func (r *receiver) count(e endpoint, o outcome) {
	for _, reason := range o.ignored {
		r.metrics.ignored.WithLabelValues(e.name, string(reason)).Inc()
	}
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

func (r *receiver) answer(w http.ResponseWriter, status int, contentType string, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		r.log.Error("answer not written", zap.Error(err))
	}
	r.write(w, status, contentType, append(raw, '\n'))
}

func (r *receiver) write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		r.log.Debug("answer not sent", zap.Error(err))
	}
}
