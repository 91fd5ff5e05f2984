package worker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

// placed registers the count of new images by how they became known, and
// returns what counts one. Labels hold configured names and our own words.
func placed(r prometheus.Registerer) func(registry string, origin state.Origin) {
	images := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "landwaiter_webhook_images_total",
		Help: "New images that a webhook announced, or that a sweep found because none did, by registry.",
	}, []string{"registry", "origin"})
	r.MustRegister(images)
	return func(registry string, origin state.Origin) {
		switch origin {
		case state.OriginPush:
			images.WithLabelValues(registry, "announced").Inc()
		case state.OriginSweep:
			images.WithLabelValues(registry, "found").Inc()
		case state.OriginBaseline, state.OriginRequest:
		}
	}
}
