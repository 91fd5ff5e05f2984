package ingest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/ingest/internal/source"
)

// BenchmarkDelivery compares ingest with the least that can be done: a handler
// that publishes the body it read, with the broker's confirmation.
func BenchmarkDelivery(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		s := &service{broker: startBroker(b), log: &output{}}
		s.open(b, nil)
		js := s.bus.JetStream()
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				_, err = js.PublishMsg(r.Context(), &nats.Msg{Subject: "landwaiter.registry.image.pushed.bare", Data: body})
			}
			if err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.WriteHeader(http.StatusAccepted)
		}))
		defer srv.Close()
		deliver(b, srv.URL)
	})
	b.Run("ingest", func(b *testing.B) {
		s := start(b, nil, local())
		deliver(b, s.url+localPath)
	})
}

// BenchmarkEvent takes a delivery from its body to the broker's message, which
// is what ingest does beyond the least.
func BenchmarkEvent(b *testing.B) {
	format, err := source.For(local())
	if err != nil {
		b.Fatal(err)
	}
	d := delivery{
		endpoint: endpoint{name: "local", host: "127.0.0.1:5000", format: format}, body: push("1"), at: time.Now(),
		header: http.Header{"Content-Type": {"application/vnd.docker.distribution.events.v2+json"}},
	}
	b.ReportAllocs()
	for b.Loop() {
		batch, err := format.Source.Parse(d.header, d.body, d.at)
		if err != nil || len(batch.Facts) != 1 {
			b.Fatalf("%+v, %v", batch, err)
		}
		e, err := d.event(batch.Facts[0], format.Name)
		if err != nil {
			b.Fatal(err)
		}
		events.Topology{}.Encode(e)
	}
}

func deliver(b *testing.B, url string) {
	b.Helper()
	var n atomic.Int64
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(16)
	before := cpuTime(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			res, err := c.Post(url, "application/json", bytes.NewReader(push(strconv.FormatInt(n.Add(1), 10))))
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusAccepted {
				b.Errorf("answer %s, %v", res.Status, err)
			}
			_ = res.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op") // sender and broker included
}

// cpuTime is what this process has used, which a busy machine does not change
// as much as the rate.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
