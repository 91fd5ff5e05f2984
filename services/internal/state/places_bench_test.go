package state_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// BenchmarkPlaces lists the places of a repository and of an image among few
// and among many: neither may cost by how many there are.
func BenchmarkPlaces(b *testing.B) {
	const each = 10 // places of a repository
	repository := func(n int) string { return fmt.Sprintf("team%02d/app-%05d", n%100, n) }
	image := func(n int) events.Digest {
		return events.Digest("sha256:" + strings.Repeat(fmt.Sprintf("%016x", uint64(n)*0x9e3779b97f4a7c15), 4))
	}
	for _, repositories := range []int{100, 5000} {
		st, err := state.Open(b.Context(), natstest.Bus(b, natstest.Start(b), "one"))
		if err != nil {
			b.Fatal(err)
		}
		var writers errgroup.Group
		writers.SetLimit(64)
		for n := range repositories * each {
			writers.Go(func() error {
				p := state.Place{Registry: "hub", Repository: repository(n / each), Digest: image(n)}
				_, err := st.Places.Create(b.Context(), point, state.PlaceKey(p.Digest, p.Registry, p.Repository), p)
				return err
			})
		}
		if err := writers.Wait(); err != nil {
			b.Fatal(err)
		}
		list := func(want int, filter func(n int) string) func(*testing.B) {
			return func(b *testing.B) {
				b.Helper()
				begun := processorTime(b)
				for n := 0; b.Loop(); n++ {
					found := 0
					err := st.Places.All(b.Context(), filter(n%repositories), func(state.Record[state.Place]) error {
						found++
						return nil
					})
					if err != nil || found != want {
						b.Fatalf("found %d, %v", found, err)
					}
				}
				b.ReportMetric(float64((processorTime(b)-begun).Microseconds())/float64(b.N), "cpu-us/op")
			}
		}
		of := fmt.Sprintf("of %d", repositories*each)
		b.Run(of+"/repository", list(each, func(n int) string { return state.PlacesOfRepository("hub", repository(n)) }))
		b.Run(of+"/image", list(1, func(n int) string { return state.PlacesOfImage(image(n * each)) }))
	}
}

// processorTime is what this process has taken, the broker in it included.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
