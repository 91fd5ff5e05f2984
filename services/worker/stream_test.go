package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
)

// idle waits until no worker has anything left to handle.
func (r *rig) idle() {
	r.t.Helper()
	js, topology := r.bus.JetStream(), r.bus.Topology()
	r.until("nothing is left to do", func(ctx context.Context) error {
		for _, name := range []events.StreamName{events.Registry, events.Plans, events.Sweeps, events.Scans, events.Rematch} {
			stream, err := js.Stream(ctx, topology.Stream(name))
			if err != nil {
				return err
			}
			list := stream.ListConsumers(ctx)
			for c := range list.Info() {
				if c.NumPending > 0 || c.NumAckPending > 0 {
					return fmt.Errorf("%s has %d to come and %d out", c.Name, c.NumPending, c.NumAckPending)
				}
				if err := reached(ctx, stream, c); err != nil {
					return err
				}
			}
			if err := list.Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// reached is an error while there is a message that a consumer has not heard of,
// which it does a moment after its publisher had the confirmation.
func reached(ctx context.Context, stream jetstream.Stream, c *jetstream.ConsumerInfo) error {
	for _, filter := range append(slices.Clone(c.Config.FilterSubjects), c.Config.FilterSubject) {
		if filter == "" {
			continue
		}
		last, err := stream.GetLastMsgForSubject(ctx, filter)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return err
		case last.Sequence > c.AckFloor.Stream:
			return fmt.Errorf("%s has not heard of message %d", c.Name, last.Sequence)
		}
	}
	return nil
}

// stored returns every message of a stream.
func (r *rig) stored(name events.StreamName) []events.Event {
	r.t.Helper()
	stream, err := r.bus.JetStream().Stream(r.t.Context(), r.bus.Topology().Stream(name))
	if err != nil {
		r.t.Fatal(err)
	}
	var all []events.Event
	held := stream.CachedInfo().State
	for seq := held.FirstSeq; seq <= held.LastSeq; seq++ {
		m, err := stream.GetMsg(r.t.Context(), seq)
		if err != nil {
			continue // taken out of a queue
		}
		e, err := events.Decode(events.Message{Subject: m.Subject, Header: m.Header, Data: m.Data})
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// told returns the results of the kinds, in order.
func (r *rig) told(kinds ...events.Kind) []events.Event {
	r.t.Helper()
	var found []events.Event
	for _, e := range r.stored(events.Results) {
		if slices.Contains(kinds, e.Kind()) {
			found = append(found, e)
		}
	}
	return found
}
