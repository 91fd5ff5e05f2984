package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/test/harness"
)

const (
	roleBare = "bare"
	// window is how long one rate is measured; the two are measured in turns.
	window  = 2 * time.Second
	windows = 5
)

// receiver is a process that takes webhooks, and what it did in each window.
type receiver struct {
	process *harness.Process
	url     string
	rates   []float64 // deliveries a second
	cpus    []float64 // CPU seconds a delivery
	slowest []time.Duration
}

// BenchmarkWebhooks compares the rate at which ingest takes webhooks with that
// of the bare handler, at the same broker.
func BenchmarkWebhooks(b *testing.B) {
	_, url := startBroker(b)
	var ours, least receiver
	ours.process, ours.url = startIngest(b, url, configuration(b, "127.0.0.1:5000"))
	ours.warm(b) // what it stores of a delivery is what the bare handler stores
	least.process, least.url = announced(b, harness.Command{Path: self(b), Args: []string{url}, Env: []string{envRole + "=" + roleBare}})
	var ids atomic.Int64
	for _, senders := range []int{1, 16, 64, 256} {
		b.Run(strconv.Itoa(senders), func(b *testing.B) {
			whole(b)
			ours, least := receiver{process: ours.process, url: ours.url}, receiver{process: least.process, url: least.url}
			for range windows {
				least.take(b, senders, &ids)
				ours.take(b, senders, &ids)
			}
			what := fmt.Sprintf("durable webhooks, senders: %d, ", senders)
			// The disk of a busy machine changes from window to window, so each is
			// compared with its neighbour.
			var pairs []float64
			for i := range ours.rates {
				pairs = append(pairs, ours.rates[i]/least.rates[i])
			}
			share := median(pairs)
			results.add(row{
				what + "rate a second", fmt.Sprintf("%.0f", median(ours.rates)), fmt.Sprintf("%.0f bare handler", median(least.rates)),
				fmt.Sprintf("%.2f (%.2f to %.2f)", share, slices.Min(pairs), slices.Max(pairs)), ">= 0.80",
			})
			cpu, cpuLeast := median(ours.cpus), median(least.cpus)
			results.add(row{what + "CPU of the handler", micro(cpu), micro(cpuLeast) + " bare handler", ratio(cpu, cpuLeast), ""})
			results.add(row{what + "p99 of the answer", milliseconds(median(ours.slowest)), milliseconds(median(least.slowest)) + " bare handler", ratio(median(ours.slowest), median(least.slowest)), ""})
			b.ReportMetric(share, "rate/bare")
		})
	}
}

func micro(seconds float64) string { return fmt.Sprintf("%.0f us", seconds*1e6) }

// take sends for a window from as many senders.
func (r *receiver) take(b *testing.B, senders int, ids *atomic.Int64) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: soon}
	defer client.CloseIdleConnections()
	if err := r.send(b.Context(), client, ids); err != nil {
		b.Fatal(err)
	}
	before, begun := takenBy(b, r.process), time.Now()
	took := make([][]time.Duration, senders)
	errs := make([]error, senders)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for time.Since(begun) < window && errs[i] == nil {
				sent := time.Now()
				errs[i] = r.send(b.Context(), client, ids)
				took[i] = append(took[i], time.Since(sent))
			}
		})
	}
	all.Wait()
	elapsed := time.Since(begun)
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	var times []time.Duration
	for _, t := range took {
		times = append(times, t...)
	}
	r.rates = append(r.rates, float64(len(times))/elapsed.Seconds())
	r.cpus = append(r.cpus, (takenBy(b, r.process).CPU-before.CPU).Seconds()/float64(len(times)))
	r.slowest = append(r.slowest, quantile(times, 0.99))
}

// warm has one delivery stored.
func (r *receiver) warm(b *testing.B) {
	b.Helper()
	client := &http.Client{Timeout: soon}
	defer client.CloseIdleConnections()
	if err := r.send(b.Context(), client, new(atomic.Int64)); err != nil {
		b.Fatal(err)
	}
}

func (r *receiver) send(ctx context.Context, client *http.Client, ids *atomic.Int64) error {
	const digest = "sha256:07d895359be280cc23ed72ad62b3f915da3dac34b09370fe4d38ed7cf42e627a"
	id := fmt.Sprintf("%d-%d", os.Getpid(), ids.Add(1))
	return post(ctx, client, r.url, notification(id, "127.0.0.1:5000", "team/app", "1.0", digest))
}

// drain reads an answer to its end, so that its connection serves again.
func drain(res *http.Response) error {
	_, err := io.Copy(io.Discard, res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}
