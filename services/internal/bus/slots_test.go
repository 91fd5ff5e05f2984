package bus_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
)

func TestSharesNeverExceedTheirSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := bus.NewPool(4)
		var all, slow atomic.Int32
		worker := func(s bus.Slots, mine *atomic.Int32, most int32, seed uint64) {
			r := rand.New(rand.NewPCG(seed, seed))
			for range 200 {
				if err := s.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				release, ok := s.TryAcquire()
				if !ok {
					continue
				}
				if n := all.Add(1); n > 4 {
					t.Errorf("%d slots of 4 taken", n)
				}
				if n := mine.Add(1); n > most {
					t.Errorf("%d slots of a share of %d taken", n, most)
				}
				<-time.After(time.Duration(r.IntN(100)) * time.Millisecond)
				mine.Add(-1)
				all.Add(-1)
				release()
				release() // releasing again gives nothing back
			}
		}
		slowShare, fastShare := pool.Share(3), pool.Share(4)
		var fast atomic.Int32
		var workers sync.WaitGroup
		for n := range uint64(6) {
			workers.Go(func() { worker(slowShare, &slow, 3, n) })
			workers.Go(func() { worker(fastShare, &fast, 4, n+100) })
		}
		workers.Wait()
	})
}

func TestWaitEndsWithARoomOrTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := bus.NewPool(1)
		a, b := pool.Share(1), pool.Share(1)
		release, ok := a.TryAcquire()
		if !ok {
			t.Fatal("no slot in an empty pool")
		}
		if _, ok := b.TryAcquire(); ok {
			t.Fatal("a second slot in a pool of one")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Wait(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err == nil {
			t.Error("Wait without room returned no error")
		}
		go func() { ended <- b.Wait(t.Context()) }()
		synctest.Wait()
		release()
		if err := <-ended; err != nil {
			t.Errorf("Wait with room: %v", err)
		}
		if _, ok := b.TryAcquire(); !ok {
			t.Error("no slot after one was released")
		}
	})
}

func layers() events.Durable {
	d := durable(time.Minute)
	d.Name, d.Filters = "slow", []string{"landwaiter.registry.layer.pushed.>"}
	return d
}

func TestSlowWorkLeavesASlotForFastWork(t *testing.T) {
	_, b := start(t)
	pool := bus.NewPool(4)
	finish := make(chan struct{})
	slowBegan, fastDone := make(chan struct{}, 64), make(chan struct{}, 64)
	var running atomic.Int32
	consume(t, b, bus.Consumption{Durable: layers(), Slots: pool.Share(3), Handle: func(context.Context, bus.Delivery) error {
		if n := running.Add(1); n > 3 {
			t.Errorf("%d slow handlers at work, want 3", n)
		}
		slowBegan <- struct{}{}
		<-finish
		running.Add(-1)
		return nil
	}})
	consume(t, b, bus.Consumption{Durable: durable(time.Minute), Slots: pool.Share(4), Handle: func(context.Context, bus.Delivery) error {
		fastDone <- struct{}{}
		return nil
	}})
	for n := range 20 {
		publish(t, b, fact(t, events.LayerPushed, fmt.Sprintf("slow-%d", n)))
	}
	for range 3 {
		receive(t, slowBegan, patience, "slow handler")
	}
	for n := range 5 {
		publish(t, b, pushed(t, fmt.Sprintf("fast-%d", n)))
		receive(t, fastDone, prompt, "fast handler beside slow ones")
	}
	close(finish)
	settled(t, b, layers())
}

// A request that was made while a slot was free may bring a message when none
// is any more: somebody else gets it.
func TestNoMessageWaitsInAFullProcess(t *testing.T) {
	srv, full := start(t)
	free := natstest.Bus(t, srv, "free")
	slots := bus.NewPool(1)
	finish := make(chan struct{})
	began, came := make(chan struct{}, 1), make(chan string, 8)
	handle := func(who string) bus.Handler {
		return func(_ context.Context, d bus.Delivery) error {
			came <- who + " " + d.ID()
			return nil
		}
	}
	d := durable(time.Minute)
	consume(t, full, bus.Consumption{Durable: d, Slots: slots.Share(1), Handle: handle("full")})
	publish(t, full, pushed(t, "warm-up"))
	receive(t, came, patience, "message")
	settled(t, full, d)
	consume(t, full, bus.Consumption{Durable: layers(), Slots: slots.Share(1), Handle: func(context.Context, bus.Delivery) error {
		began <- struct{}{}
		<-finish
		return nil
	}})
	publish(t, full, fact(t, events.LayerPushed, "slow"))
	receive(t, began, patience, "slow handler")
	consume(t, free, bus.Consumption{Durable: d, Handle: handle("free")})
	publish(t, full, pushed(t, "one"))
	if got := receive(t, came, prompt, "message at the other process"); got != "free one" {
		t.Error(got)
	}
	settled(t, full, d)
	close(finish)
	settled(t, full, layers())
}
