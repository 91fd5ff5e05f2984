package report

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the service does. Labels hold our own words, never what
// a caller wrote.
type metrics struct {
	requests *prometheus.CounterVec
}

// newMetrics registers the service's figures; streams and projected tell those
// that others count.
func newMetrics(r prometheus.Registerer, streams func() int, projected func() (done, failed uint64)) *metrics {
	m := &metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "landwaiter_report_requests_total", Help: "Requests answered, by route and class of status.",
	}, []string{"route", "status"})}
	r.MustRegister(
		m.requests,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "landwaiter_report_streams", Help: "Streams of events that are open.",
		}, func() float64 { return float64(streams()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "landwaiter_report_projections_total", Help: "Images brought in line with the state.",
		}, func() float64 { done, _ := projected(); return float64(done) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "landwaiter_report_projection_errors_total", Help: "Images that could not be brought in line, and are tried again.",
		}, func() float64 { _, failed := projected(); return float64(failed) }),
	)
	return m
}

// counted counts the answers of next.
func (m *metrics) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(s, r)
		// As the innermost router left it.
		m.requests.WithLabelValues(r.Pattern, strconv.Itoa(s.status/100)+"xx").Inc()
	})
}

// statusWriter remembers an answer's status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status that is written.
func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets streams reach the connection.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
