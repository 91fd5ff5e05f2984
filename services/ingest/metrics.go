package ingest

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what comes in. Labels hold configured names and our own
// words, never what a sender wrote.
type metrics struct {
	deliveries *prometheus.CounterVec
	events     *prometheus.CounterVec
	ignored    *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	return &metrics{
		deliveries: counter("landwaiter_ingest_deliveries_total", "Webhook deliveries by answer.", "status"),
		events:     counter("landwaiter_ingest_events_total", "Events stored, by registry and kind.", "registry", "kind"),
		ignored:    counter("landwaiter_ingest_ignored_total", "Events ignored, by registry and reason.", "registry", "reason"),
	}
}
