package state_test

import (
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const patience = 15 * time.Second

func open(t *testing.T, b *bus.Bus) *state.Store {
	t.Helper()
	st, err := state.Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func start(t *testing.T) (*natstest.Server, *state.Store) {
	t.Helper()
	t.Parallel()
	srv := natstest.Start(t)
	return srv, open(t, natstest.Bus(t, srv, "one"))
}

// hooked is a store whose writes are noted.
func hooked(t *testing.T) (st *state.Store, moments func() []string) {
	t.Helper()
	t.Parallel()
	var seen []string
	b := natstest.Connect(t, natstest.Start(t), bus.Options{Service: "one", Fail: func(p failpoint.Point, m failpoint.Moment) {
		seen = append(seen, string(p)+":"+string(m))
	}})
	return open(t, b), func() []string {
		was := seen
		seen = nil
		return was
	}
}

// until polls for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
