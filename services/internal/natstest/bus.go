package natstest

import (
	"context"
	"testing"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/bus"
)

// Bus connects to the server as the service and closes the connection at the
// test's end. Streams have the default prefix.
func Bus(tb testing.TB, s *Server, service string) *bus.Bus {
	tb.Helper()
	return Connect(tb, s, bus.Options{Service: service})
}

// Connect is Bus with options. URL is filled in, and a logger that says nothing
// where there is none: one of the test would be used after its end.
func Connect(tb testing.TB, s *Server, o bus.Options) *bus.Bus {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	o.URL = s.ClientURL()
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	b, err := bus.Connect(ctx, o)
	if err != nil {
		tb.Fatalf("connect to broker: %v", err)
	}
	tb.Cleanup(b.Close)
	return b
}
