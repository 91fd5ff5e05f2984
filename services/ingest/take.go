package ingest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/ingest/internal/source"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// delivery is one authentic request, or one that was and is replayed.
type delivery struct {
	endpoint endpoint
	header   http.Header
	body     []byte
	at       time.Time
	// replayed is the id that the delivery was parked under; blank: it has just
	// come.
	replayed string
}

// take stores what a delivery says. Its error means that the broker did not
// confirm, or that nothing was understood of one that is replayed; nothing in a
// body that has just come causes one.
func (r *receiver) take(ctx context.Context, d delivery) (outcome, error) {
	batch, err := d.endpoint.format.Source.Parse(d.header, d.body, d.at)
	if err != nil {
		batch = source.Batch{Odd: []source.Odd{{Body: d.body, Err: err}}}
	}
	if len(batch.Odd) > mostLetters {
		err := fmt.Errorf("%d members not understood, such as: %w", len(batch.Odd), batch.Odd[0].Err)
		batch.Odd = []source.Odd{{Body: d.body, Err: err}}
	}
	o := outcome{ignored: batch.Ignored, answer: batch.Answer, confirm: batch.Confirm}
	for _, odd := range batch.Odd {
		o.ignored = append(o.ignored, source.NotDecodable)
		if err := r.setAside(ctx, d, odd); err != nil {
			return o, err
		}
	}
	list := r.facts(d, batch.Facts, &o)
	o.accepted = len(list)
	return o, r.publish(ctx, d, list)
}

// mostLetters is how many members of a delivery become dead letters of their
// own; of more the delivery becomes one.
const mostLetters = 16

// facts makes events of what a delivery says.
func (r *receiver) facts(d delivery, facts []source.Fact, o *outcome) []events.Event {
	list := make([]events.Event, 0, len(facts))
	for n, f := range facts {
		if f.ID == "" {
			f.ID = d.id(n)
		}
		e, err := d.event(f, d.endpoint.format.Name)
		if err != nil {
			r.log.Warn("event ignored", zap.String("registry", d.endpoint.name), zap.Error(err))
			o.ignored = append(o.ignored, source.InvalidEvent)
			continue
		}
		list = append(list, e)
	}
	return list
}

// publish returns once all are confirmed. Many go out side by side: a batch may
// hold thousands, and its sender waits for seconds at most. A few keep their
// order, though nobody relies on it: a fact is a reason to ask the registry.
func (r *receiver) publish(ctx context.Context, d delivery, list []events.Event) error {
	const few, atOnce = 32, 64
	if len(list) <= few {
		for _, e := range list {
			if err := r.publishOne(ctx, d, e); err != nil {
				return err
			}
		}
		return nil
	}
	running, ctx := errgroup.WithContext(ctx)
	running.SetLimit(atOnce)
	for _, e := range list {
		running.Go(func() error { return r.publishOne(ctx, d, e) })
	}
	return running.Wait()
}

func (r *receiver) publishOne(ctx context.Context, d delivery, e events.Event) error {
	if err := r.bus.Publish(ctx, failpoint.IngestPublish, e); err != nil {
		return err
	}
	r.metrics.events.WithLabelValues(d.endpoint.name, string(e.Kind())).Inc()
	return nil
}

// setAside parks what was not understood. A replayed delivery of which that is
// all goes back to where it came from instead: as one letter, not as two.
func (r *receiver) setAside(ctx context.Context, d delivery, odd source.Odd) error {
	if d.replayed != "" && bytes.Equal(odd.Body, d.body) {
		return bus.DeadLetter(d.notUnderstood(odd))
	}
	r.log.Warn("delivery not understood, kept as a dead letter", zap.String("registry", d.endpoint.name), zap.Error(odd.Err))
	return r.park(ctx, d, odd)
}

// id is the identity of the n-th fact of a delivery whose sender gives it none:
// a fact of its own, and the same one each time that it is replayed.
func (d delivery) id(n int) string {
	if d.replayed == "" {
		return uuid.NewString()
	}
	return d.replayed + "-" + strconv.Itoa(n)
}

// event completes a fact with what is known without its sender.
func (d delivery) event(f source.Fact, format string) (events.Event, error) {
	f.Registry, f.Host, f.Source, f.ReceivedAt = d.endpoint.name, d.endpoint.host, format, d.at
	when := f.OccurredAt
	if when.IsZero() {
		when = d.at
	}
	return events.New(f.RegistryEvent, events.Meta{
		ID: d.endpoint.name + "/" + f.ID, Source: "ingest/" + d.endpoint.name, Time: when,
		TraceParent: traceParent(d.header),
	})
}
