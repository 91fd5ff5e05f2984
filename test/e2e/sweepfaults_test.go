package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/test/harness"
)

const (
	// envFaultSeed is the environment variable with the seed of a run that is to
	// be done again. It names the moments and the victims; what exactly is cut
	// off at such a moment is up to the machine.
	envFaultSeed = "LANDWAITER_FAULT_SEED"

	faultRuns         = 3
	faultRepositories = 25
	faultTags         = 20
	faultWorkers      = 2
	faultSlots        = 3 // of each worker
	faultLayers       = 2 // read by a worker at a time
)

// Who dies in a run, in an order that the seed shuffles.
var faultVictims = []string{"worker", "worker", "worker", "worker", "worker", "cron", "cron", "broker", "broker"}

// Workers, cron and broker are killed at random while 500 images are swept:
// every image has one verdict, told once, no layer is read twice but what a
// kill cut off, and the sweep's counts are right. Three times, each with
// nothing known.
func TestSweepUnderFaults(t *testing.T) {
	harness.EndToEnd(t)
	registry := harness.StartRegistry(t, harness.RegistryOptions{})
	var repositories []string
	for n := range faultRepositories {
		repositories = append(repositories, fmt.Sprintf("team/app-%02d", n))
	}
	digests, layers := catalog(t, registry, "linux", faultTags, repositories...)
	for _, seed := range faultSeeds(t) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			s := newFaulty(t, registry, seed)
			s.run(digests)
			s.judge(digests, layers)
		})
	}
}

func faultSeeds(t *testing.T) []uint64 {
	t.Helper()
	if given := os.Getenv(envFaultSeed); given != "" {
		seed, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", envFaultSeed, err)
		}
		return []uint64{seed}
	}
	seeds := make([]uint64, faultRuns)
	for i := range seeds {
		seeds[i] = rand.Uint64N(1 << 32)
	}
	return seeds
}

// faulty is a fleet whose parts die at moments that are counted in requests to
// the registry.
type faulty struct {
	*fleet

	random  *rand.Rand
	moments map[int]bool // by how many requests were made
	strike  chan struct{}
	cronNow *harness.Process
	workers []*harness.Process
	kills   map[string]int
}

func newFaulty(t *testing.T, registry *harness.Registry, seed uint64) *faulty {
	t.Helper()
	s := &faulty{
		fleet: newFleet(t, registry, "oci", "{name: all, registry: local, schedule: {everyDays: 1}}"), random: rand.New(rand.NewPCG(seed, 0)),
		moments: map[int]bool{}, strike: make(chan struct{}, len(faultVictims)), kills: map[string]int{},
	}
	t.Logf("to do this again: %s=%d", envFaultSeed, seed)
	// A lease that outlives the broker's absence: what was in hand then goes on.
	s.common = append(s.common, "LANDWAITER_LEASE=4s", fmt.Sprintf("LANDWAITER_SLOTS=%d", faultSlots), fmt.Sprintf("LANDWAITER_LAYERS=%d", faultLayers))
	// At least a tag, a manifest, a configuration and a layer for each image.
	const requests = 4 * faultRepositories * faultTags
	for len(s.moments) < len(faultVictims) {
		s.moments[1+s.random.IntN(requests)] = true
	}
	s.stile.pass = func(n int) {
		if s.moments[n] {
			s.strike <- struct{}{}
		}
	}
	return s
}

// run starts everything, kills one after the other, and waits for the end of
// the sweep.
func (s *faulty) run(digests []string) {
	s.t.Helper()
	for range faultWorkers {
		s.workers = append(s.workers, s.work())
	}
	s.equipped()
	s.cronNow = s.cron()
	victims := slices.Clone(faultVictims)
	s.random.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	for _, victim := range victims {
		s.struck(victim)
		s.kill(victim)
	}
	s.t.Logf("killed after so many requests: %v", slices.Sorted(maps.Keys(s.moments)))
	s.until("all verdicts", completed(digests), s.alive()...)
	s.until("the end of the sweep", func(all []events.Event) error {
		if n := len(tellsOf(all, events.SweepCompleted)); n != 1 {
			return fmt.Errorf("%d are over, failed: %v", n, tellsOf(all, events.SweepFailed))
		}
		return nil
	}, s.alive()...)
}

func (s *faulty) alive() []harness.Alive {
	alive := []harness.Alive{s.brokerNow, s.cronNow}
	for _, p := range s.workers {
		alive = append(alive, p)
	}
	return alive
}

// struck waits for the next moment.
func (s *faulty) struck(victim string) {
	s.t.Helper()
	harness.WaitFor(s.t, 4*soon, "the moment at which a "+victim+" dies", func(context.Context) error {
		select {
		case <-s.strike:
			return nil
		default:
			return fmt.Errorf("not yet, killed so far: %v", s.kills)
		}
	}, s.alive()...)
}

// kill ends a process as a power cut would, and starts it again.
func (s *faulty) kill(victim string) {
	s.t.Helper()
	s.kills[victim]++
	switch victim {
	case "worker":
		i := s.random.IntN(faultWorkers)
		s.workers[i].Kill()
		s.workers[i] = s.work()
	case "cron":
		s.cronNow.Kill()
		s.cronNow = s.cron()
	case "broker":
		s.brokerNow.Kill()
		s.startBroker()
	}
}

// judge holds what there is in the end against what there should be.
func (s *faulty) judge(digests, layers []string) {
	s.t.Helper()
	all := s.results()
	for verdict, n := range verdicts(all) {
		if n != 1 {
			s.t.Errorf("verdict %s was told of %d times", verdict, n)
		}
	}
	if n := len(verdicts(all)); n != len(digests) {
		s.t.Errorf("%d verdicts for %d images", n, len(digests))
	}
	s.verdictsStand(digests)
	s.sweepIsRight(all, len(digests))
	// A worker that dies cuts off what it has in hand; a broker that dies at
	// most what all have, whose reports of it are lost.
	atOnce := s.kills["worker"] + s.kills["broker"]*faultWorkers
	if again := len(stages(all, events.ScanStarted)) - len(digests); again < 0 || again > atOnce*faultSlots {
		s.t.Errorf("%d scans began again, after %v", again, s.kills)
	} else {
		s.t.Logf("%d scans began again, after %v", again, s.kills)
	}
	s.readOnce(layers, atOnce*faultLayers)
	s.nothingLeft()
	s.reportsAll(digests)
}

// verdictsStand looks at the images' and jobs' records.
func (s *faulty) verdictsStand(digests []string) {
	s.t.Helper()
	images, jobs := s.records("landwaiter_images"), s.records("landwaiter_jobs")
	for _, d := range digests {
		key := strings.Replace(d, ":", "-", 1)
		var image struct {
			Status            int
			Report, Inventory string
		}
		var job struct{ State, Error string }
		if err := json.Unmarshal(images[key], &image); err != nil {
			s.t.Errorf("image %s: %v", d, err)
		}
		if err := json.Unmarshal(jobs[key], &job); err != nil {
			s.t.Errorf("job %s: %v", d, err)
		}
		if image.Status != 6 || image.Report == "" || image.Inventory == "" || job.State != "done" {
			s.t.Errorf("image %+v, job %+v", image, job)
		}
	}
}

// sweepIsRight looks at the one sweep there was and at what it counted.
func (s *faulty) sweepIsRight(all []events.Event, images int) {
	s.t.Helper()
	if n := len(s.records("landwaiter_sweeps")); n != 1 {
		s.t.Errorf("%d sweeps of one due time", n)
	}
	want := events.SweepCounts{Repositories: faultRepositories, Tags: images, Images: images, Released: images, Finished: images}
	for _, e := range all {
		sweep, ok := e.Data().(events.SweepEvent)
		if ok && sweep.Kind == events.SweepCompleted && (sweep.Counts != want || sweep.Partial) {
			s.t.Errorf("the sweep's end: partial %v (%s), counts\n%+v, want\n%+v", sweep.Partial, sweep.Error, sweep.Counts, want)
		}
	}
	for _, kind := range []events.Kind{events.SweepStarted, events.SweepCompleted} {
		for sweep, n := range tellsOf(all, kind) {
			if n != 1 {
				s.t.Errorf("%s of %s was told %d times", kind, sweep, n)
			}
		}
	}
}

// nothingLeft waits until no message waits, and sees that none is dead.
func (s *faulty) nothingLeft() {
	s.t.Helper()
	js := s.stream()
	harness.WaitFor(s.t, soon, "the last messages", func(ctx context.Context) error {
		for _, name := range []string{"PLANS", "SWEEPS", "SCANS", "REMATCH"} {
			if n := stored(ctx, js, name); n != 0 {
				return fmt.Errorf("%d in %s", n, name)
			}
		}
		return nil
	}, s.alive()...)
	if n := stored(s.t.Context(), js, "DEAD"); n != 0 {
		s.t.Errorf("%d dead letters", n)
	}
}

// stored is how many messages a stream has; -1: it cannot be asked.
func stored(ctx context.Context, js jetstream.JetStream, name string) int {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return -1
	}
	return int(stream.CachedInfo().State.Msgs)
}

// reportsAll starts a report service, which was not there all the while.
func (s *faulty) reportsAll(digests []string) {
	s.t.Helper()
	in := s.answer()
	harness.WaitFor(s.t, 2*soon, "all reports", func(ctx context.Context) error {
		list, err := in.everything(ctx)
		if err != nil {
			return err
		}
		if len(list) != len(digests) {
			return fmt.Errorf("%d images", len(list))
		}
		return missing(digests, func(d string) bool { return list[d] == 6 })
	}, in.up)
}
