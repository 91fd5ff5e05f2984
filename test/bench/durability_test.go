package bench

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// relaxed makes a broker sync every two minutes instead of before it confirms.
const relaxed = "relaxed"

// BenchmarkDurability tells what it costs that a confirmed event survives a
// power cut (a broker that syncs before it confirms), and not only the death of
// the broker's process.
func BenchmarkDurability(b *testing.B) {
	whole(b)
	for _, senders := range []int{1, 64} {
		always, now := confirmed(b, senders), confirmed(b, senders, relaxed)
		results.add(row{
			fmt.Sprintf("confirmed events, %d publishers: a second, synced before the confirmation", senders),
			fmt.Sprintf("%.0f", always), fmt.Sprintf("%.0f synced every 2 minutes", now), fmt.Sprintf("%.2f", always/now), "",
		})
	}
}

// confirmed is how many events of 1 KB a second a new broker confirms.
func confirmed(b *testing.B, publishers int, flags ...string) float64 {
	b.Helper()
	js := connectTo(b, time.Hour, flags...)
	var n atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for p := range publishers {
		all.Go(func() {
			for i := 0; time.Since(begun) < window; i++ {
				if _, err := js.PublishMsg(b.Context(), event(strconv.Itoa(p)+"-"+strconv.Itoa(i))); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / time.Since(begun).Seconds()
}

// BenchmarkRememberedIDs tells what the broker's memory of message ids takes:
// it remembers each for the stream's window, an hour for registry events.
func BenchmarkRememberedIDs(b *testing.B) {
	whole(b)
	const ids = 300_000
	resident := func(window time.Duration) int64 {
		broker, url := startBroker(b, relaxed)
		js := streamAt(b, url, window)
		for i := range ids {
			if _, err := js.PublishMsgAsync(event(strconv.Itoa(i))); err != nil {
				b.Fatal(err)
			}
		}
		<-js.PublishAsyncComplete()
		return takenBy(b, broker).Resident
	}
	with, without := resident(time.Hour), resident(100*time.Millisecond)
	results.add(row{
		fmt.Sprintf("%d event ids remembered: resident memory of the broker", ids),
		fmt.Sprintf("%d MiB", with>>20), fmt.Sprintf("%d MiB with a window of 0.1 s", without>>20),
		fmt.Sprintf("%d bytes an id", (with-without)/ids), "",
	})
}

func connectTo(b *testing.B, window time.Duration, flags ...string) jetstream.JetStream {
	b.Helper()
	_, url := startBroker(b, flags...)
	return streamAt(b, url, window)
}

func streamAt(b *testing.B, url string, window time.Duration) jetstream.JetStream {
	b.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256), jetstream.WithPublishAsyncTimeout(soon))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events"}, Duplicates: window}); err != nil {
		b.Fatal(err)
	}
	return js
}

// event is a message as large as an event, with an id of a delivery's length.
func event(id string) *nats.Msg {
	const size, idLength = 1000, 40
	m := nats.NewMsg("events")
	m.Header.Set(nats.MsgIdHdr, fmt.Sprintf("%0*s", idLength, id))
	m.Data = make([]byte, size)
	return m
}
