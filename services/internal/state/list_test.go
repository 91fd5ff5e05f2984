package state_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// filled is a store with so many requests, r0 and so on.
func filled(t *testing.T, records int) *state.Store {
	t.Helper()
	_, st := start(t)
	var writers errgroup.Group
	writers.SetLimit(64)
	for n := range records {
		writers.Go(func() error {
			_, err := st.Requests.Create(t.Context(), point, fmt.Sprintf("r%d", n), request("x"))
			return err
		})
	}
	if err := writers.Wait(); err != nil {
		t.Fatal(err)
	}
	return st
}

func keys(t *testing.T, st *state.Store) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	err := st.Requests.All(t.Context(), ">", func(r state.Record[state.Request]) error {
		seen[r.Key] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// A record that is written while a list goes on leaves its place in it for one
// at the end. Who lists must meet it there.
func TestListMissesNothingThatIsChangedMeanwhile(t *testing.T) {
	const records = 1500
	st := filled(t, records)
	ctx, cancel := context.WithCancel(t.Context())
	var writers errgroup.Group
	var written atomic.Int64
	for w := range 4 {
		writers.Go(func() error {
			for n := w; ctx.Err() == nil; n += 7 {
				_, err := st.Requests.Change(ctx, failpoint.PlanRequest, fmt.Sprintf("r%d", n%records), func(r *state.Request, _ bool) error {
					r.Reference = strconv.FormatInt(written.Add(1), 10)
					return nil
				})
				if err != nil && ctx.Err() == nil {
					return err
				}
			}
			return nil
		})
	}
	for range 25 {
		if seen := keys(t, st); len(seen) != records {
			t.Errorf("%d records of %d, %d were written", len(seen), records, written.Load())
		}
	}
	cancel()
	if err := writers.Wait(); err != nil {
		t.Fatal(err)
	}
}

// Records that go while a list is on its way to them hold it up no longer than
// the broker needs to say that they are gone.
func TestListOfRecordsThatGo(t *testing.T) {
	const records = 600
	st := filled(t, records)
	seen := map[string]bool{}
	err := st.Requests.All(t.Context(), ">", func(r state.Record[state.Request]) error {
		if len(seen) == 0 { // one batch of three is on its way
			for n := records - 1; n >= records/2; n-- {
				last, err := st.Requests.Get(t.Context(), fmt.Sprintf("r%d", n))
				if err != nil {
					return err
				}
				if err := st.Requests.Delete(t.Context(), point, last); err != nil {
					return err
				}
			}
		}
		seen[r.Key] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range records / 2 {
		if key := fmt.Sprintf("r%d", n); !seen[key] {
			t.Errorf("%s was not seen", key)
		}
	}
	if left := keys(t, st); len(left) != records/2 {
		t.Errorf("%d records are left of %d", len(left), records/2)
	}
}

// What the callback refuses is its own failure, not the broker's, and ends the
// list.
func TestListEndsWithItsCallback(t *testing.T) {
	st := filled(t, 3)
	refused := errors.New("not this one")
	calls := 0
	err := st.Requests.All(t.Context(), ">", func(state.Record[state.Request]) error {
		calls++
		return refused
	})
	if !errors.Is(err, refused) || errors.Is(err, bus.ErrBroker) || calls != 1 {
		t.Errorf("All = %v after %d calls", err, calls)
	}
}

// A list leaves nothing behind in the broker.
func TestListEndsItsConsumer(t *testing.T) {
	t.Parallel()
	srv := natstest.Start(t)
	b := natstest.Bus(t, srv, "one")
	st := open(t, b)
	for _, key := range []string{"a.1", "b.1"} {
		create(t, st.Requests, key, "x")
	}
	for _, filter := range []string{">", "a.>", "c.>"} {
		if err := st.Requests.All(t.Context(), filter, nothing); err != nil {
			t.Fatal(err)
		}
	}
	left := b.JetStream()
	stream, err := left.Stream(t.Context(), "KV_"+b.Topology().Bucket("requests"))
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Collect(consumers(t, stream))
	if len(names) > 0 {
		t.Errorf("left: %v", names)
	}
}

func consumers(t *testing.T, s jetstream.Stream) func(func(string) bool) {
	t.Helper()
	return func(yield func(string) bool) {
		list := s.ConsumerNames(t.Context())
		for name := range list.Name() {
			if !yield(name) {
				return
			}
		}
		if err := list.Err(); err != nil {
			t.Error(err)
		}
	}
}
