package worker

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// What a fleet is made of: each forty images stand on three bases of their own
// day, and add their own packages.
const (
	fleetImages  = 40
	fleetBases   = 3
	basePackages = 110
	ownPackages  = 38
	seldom       = 50 // one image in so many has a certain package
)

// fleet is a Debian of 150 packages as registries have them.
func fleet(i int) inventory.Image {
	base := i/fleetImages*fleetBases + i%fleetBases
	img := inventory.Image{
		Engine: "e", OS: verdict.OS{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12"}, Notes: []verdict.Note{},
		Layers: []verdict.Layer{
			{Index: 0, Digest: string(state.DigestOf([]byte("base" + strconv.Itoa(base)))), CreatedBy: "debootstrap", Size: 30 << 20},
			{Index: 1, Digest: string(state.DigestOf([]byte("own" + strconv.Itoa(i)))), CreatedBy: "RUN apt-get install", Size: 10 << 20},
		},
	}
	img.Packages = append(img.Packages, deb("bash", base%10, 0), deb(fmt.Sprintf("seldom%02d", i%seldom), i%10, 1))
	for layer, part := range []struct{ seed, packages int }{{base, basePackages}, {1_000_000 + i, ownPackages}} {
		random := rand.New(rand.NewPCG(uint64(part.seed), 1))
		from := random.IntN(names / 2)
		for n := range part.packages {
			img.Packages = append(img.Packages, deb(fmt.Sprintf("lib%04d", layer*names/2+(from+7*n)%(names/2)), random.IntN(10), layer))
		}
	}
	return img
}

// BenchmarkRenewal replaces the database under LANDWAITER_BENCH_IMAGES stored
// inventories (2000 without it) of 150 packages each. Broker and worker are one
// process: the rate for each core is that of both together.
func BenchmarkRenewal(b *testing.B) {
	images := 2000
	if n, err := strconv.Atoi(os.Getenv("LANDWAITER_BENCH_IMAGES")); err == nil {
		images = n
	}
	s := newStock(b, images, fleet)
	s.counted(0) // as it is in use: each round reads all records
	all := append(flaws(1), flaw{"CVE-2026-8888", "bash", "1:0-1"})
	changed := append([]flaw(nil), all...)
	changed[len(changed)-1].fixed = "1:1.1-1" // every image has it, a tenth is affected
	few := append(slices.Clone(changed), flaw{"CVE-2026-9999", "seldom07", "1:2-1"})
	for _, step := range []struct {
		name string
		list []flaw
	}{
		{"first", all},
		{"every image concerned, a tenth changed", changed},
		{"one in fifty concerned, all of them changed", few},
		{"no image concerned", append(few, flaw{"CVE-2026-7777", "nobody-has-it", "1:1.5-1"})},
	} {
		dir := known(b, step.list...)
		metrics := sync.OnceValue(func() map[string]float64 { return s.measured(dir) })
		b.Run(step.name, func(b *testing.B) {
			for b.Loop() {
				metrics() // once: the database is in use then
			}
			b.ReportMetric(0, "ns/op")
			for unit, value := range metrics() {
				b.ReportMetric(value, unit)
			}
		})
	}
}

// measured puts a database in use and tells what its verdicts took.
func (s *stock) measured(dir string) map[string]float64 {
	s.t.Helper()
	s.taken()
	cpu, begun := processor(s.t), time.Now()
	version := s.database(dir)
	s.settled()
	wall, used, n := time.Since(begun), processor(s.t)-cpu, float64(len(s.images))
	counts := s.taken()
	s.renewed(version)
	return map[string]float64{
		"images/s": n / wall.Seconds(), "images/core-s": n / used.Seconds(),
		"reports-written": float64(counts[reportsWritten]), "verdicts-made": float64(counts[verdictsMade]),
		"verdicts-kept": float64(counts[verdictsKept]), "events": float64(counts[eventsTold]),
	}
}

// settled waits until each verdict was kept, or made and told of, without asking
// the broker, whose time is measured: a written report is told of with two
// events, as each image lies in one place.
func (s *stock) settled() {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done := s.writes[verdictsKept].Load()+s.writes[verdictsMade].Load() >= int64(len(s.images))
		if done && s.writes[eventsTold].Load() >= 2*s.writes[reportsWritten].Load() {
			return
		}
		select {
		case <-s.t.Context().Done():
			s.t.Fatal(s.t.Context().Err())
		case <-tick.C:
		}
	}
}

// processor is the processor time this process has used.
func processor(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
