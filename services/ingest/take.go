package ingest

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/ingest/internal/source"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// delivery is one authentic request.
type delivery struct {
	endpoint endpoint
	header   http.Header
	body     []byte
	at       time.Time
}

// take stores what a delivery says. Its error means that the broker did not
// confirm; nothing in a body causes one.
func (r *receiver) take(ctx context.Context, d delivery) (outcome, error) {
	format, ok := source.For(d.endpoint.kind)
	if !ok {
		r.log.Warn("delivery ignored", zap.String("registry", d.endpoint.name), zap.String("type", string(d.endpoint.kind)))
		return outcome{ignored: []source.Reason{source.NoSourceForIt}}, nil
	}
	batch, err := format.Source.Parse(d.header, d.body, d.at)
	if err != nil {
		r.log.Warn("delivery not understood, kept as a dead letter", zap.String("registry", d.endpoint.name), zap.Error(err))
		return outcome{ignored: []source.Reason{source.NotDecodable}}, r.park(ctx, d, format.Name, err)
	}
	o := outcome{ignored: batch.Ignored}
	for _, f := range batch.Facts {
		e, err := d.event(f, format.Name)
		if err != nil {
			r.log.Warn("event ignored", zap.String("registry", d.endpoint.name), zap.Error(err))
			o.ignored = append(o.ignored, source.InvalidEvent)
			continue
		}
		if err := r.bus.Publish(ctx, failpoint.IngestPublish, e); err != nil {
			return o, err
		}
		r.metrics.events.WithLabelValues(d.endpoint.name, string(e.Kind())).Inc()
		o.accepted++
	}
	return o, nil
}

// event completes a fact with what is known without its sender.
func (d delivery) event(f source.Fact, format string) (events.Event, error) {
	f.Registry, f.Host, f.Source, f.ReceivedAt = d.endpoint.name, d.endpoint.host, format, d.at
	if f.ID == "" {
		f.ID = uuid.NewString()
	}
	when := f.OccurredAt
	if when.IsZero() {
		when = d.at
	}
	return events.New(f.RegistryEvent, events.Meta{
		ID: d.endpoint.name + "/" + f.ID, Source: "ingest/" + d.endpoint.name, Time: when,
		TraceParent: traceParent(d.header),
	})
}
