package worker

import (
	"context"
	"fmt"
	"slices"

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
			}
			if err := list.Err(); err != nil {
				return err
			}
		}
		return nil
	})
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
