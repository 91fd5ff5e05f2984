package state_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

func TestManyServicesOpenAtOnce(t *testing.T) {
	t.Parallel()
	srv := natstest.Start(t)
	var all sync.WaitGroup
	for n := range 4 {
		b := natstest.Bus(t, srv, fmt.Sprintf("s%d", n))
		all.Go(func() {
			if _, err := state.Open(t.Context(), b); err != nil {
				t.Errorf("service %d: %v", n, err)
			}
		})
	}
	all.Wait()
}

func TestPrefixesDoNotShareRecords(t *testing.T) {
	srv, ours := start(t)
	theirs := open(t, natstest.Connect(t, srv, bus.Options{Service: "other", Topology: events.Topology{Prefix: "acme"}}))
	create(t, ours.Requests, "r", "ours")
	create(t, theirs.Requests, "r", "theirs")
	got, err := ours.Requests.Get(t.Context(), "r")
	if err != nil || got.Value.ID != "ours" {
		t.Errorf("read %q, %v", got.Value.ID, err)
	}
}
