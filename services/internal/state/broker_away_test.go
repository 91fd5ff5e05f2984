package state_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// An answer that a broker owes when it dies never comes. Whoever waits for it
// may have hours, and hears much sooner that it was the broker's failure.
func TestBrokerThatOwesAnAnswer(t *testing.T) {
	srv, st := start(t)
	rec := create(t, st.Requests, "a", "one")
	srv.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	t.Cleanup(cancel) // when the parallel ones are done
	for name, ask := range map[string]func() error{
		"Get":      func() error { _, err := st.Requests.Get(ctx, "a"); return err },
		"Put":      func() error { _, err := st.Requests.Put(ctx, point, rec); return err },
		"Delete":   func() error { return st.Requests.Delete(ctx, point, rec) },
		"Revision": func() error { _, err := st.Requests.Revision(ctx); return err },
		"All":      func() error { return st.Requests.All(ctx, ">", nothing) },
		"Since":    func() error { return st.Requests.Since(ctx, ">", 1, nothing) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan error, 1)
			go func() { done <- ask() }()
			select {
			case err := <-done:
				if !errors.Is(err, bus.ErrBroker) {
					t.Errorf("got %v, want the broker's failure", err)
				}
			case <-time.After(patience):
				t.Error("it still waits")
			}
		})
	}
}

func nothing(state.Record[state.Request]) error { return nil }
