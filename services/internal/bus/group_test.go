package bus_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// Hundreds of publishers at a time, some of them with an id that others have
// too: each fact is stored once, and nobody hears yes before.
func TestPublishersThatShareSyncs(t *testing.T) {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, SyncAlways: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	b, err := bus.Connect(t.Context(), bus.Options{
		URL: srv.ClientURL(), Service: "test", SharedSync: true, Log: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const publishers, each, shared = 300, 5, 40
	var running sync.WaitGroup
	for n := range publishers {
		running.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%d-%d", n, i)
				if i == 0 {
					id = fmt.Sprintf("shared-%d", n%shared) // a duplicate refuses the batch it is in
				}
				if err := b.Publish(t.Context(), failpoint.IngestPublish, pushed(t, id)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	stream, err := b.JetStream().Stream(t.Context(), b.Topology().Stream(events.Registry))
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := uint64(publishers*(each-1) + shared); info.State.Msgs != want {
		t.Errorf("%d messages stored, want %d", info.State.Msgs, want)
	}
	if !grouped(t, stream, info.State.LastSeq) {
		t.Error("none of them went out in a batch")
	}
}

func grouped(t *testing.T, stream jetstream.Stream, last uint64) bool {
	t.Helper()
	for seq := uint64(1); seq <= last; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get("Nats-Batch-Id") != "" {
			return true
		}
	}
	return false
}

func TestSharedSyncWithoutABroker(t *testing.T) {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	b, err := bus.Connect(t.Context(), bus.Options{URL: srv.ClientURL(), Service: "test", SharedSync: true, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	srv.Shutdown()
	srv.WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var running sync.WaitGroup
	for n := range 100 {
		running.Go(func() {
			if err := b.Publish(ctx, failpoint.IngestPublish, pushed(t, strconv.Itoa(n))); err == nil {
				t.Error("a publisher was told yes")
			}
		})
	}
	running.Wait()
}
