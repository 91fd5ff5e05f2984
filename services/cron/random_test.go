package cron

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/rule"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// anySchedule is a schedule of any kind that a rule may have.
func anySchedule(dice *rand.Rand) config.Schedule {
	zones := []string{"", "UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"}
	if dice.IntN(3) == 0 {
		return config.Schedule{EveryDays: 1 + dice.IntN(365)}
	}
	at := fmt.Sprintf("%02d:%02d", dice.IntN(24), dice.IntN(60))
	return config.Schedule{EveryDays: 1, At: at, Timezone: zones[dice.IntN(len(zones))]}
}

// jump is how far a clock goes between two looks: seconds or seasons, and now
// and then back.
func jump(dice *rand.Rand, s config.Schedule) time.Duration {
	period := time.Duration(s.EveryDays) * day
	switch dice.IntN(6) {
	case 0:
		return -time.Duration(dice.Int64N(int64(3 * period)))
	case 1:
		return time.Duration(dice.Int64N(int64(10 * period)))
	case 2:
		return time.Duration(dice.Int64N(int64(time.Minute)))
	default:
		return time.Duration(dice.Int64N(int64(2 * period)))
	}
}

// skew is how far a replica's clock is off: mostly not at all.
func skew(dice *rand.Rand, s config.Schedule) time.Duration {
	switch dice.IntN(4) {
	case 0:
		return time.Duration(dice.Int64N(int64(2*time.Minute))) - time.Minute
	case 1:
		period := time.Duration(s.EveryDays) * day
		return time.Duration(dice.Int64N(int64(4*period))) - 2*period
	default:
		return 0
	}
}

// crowd is any number of replicas that die at random, and one that does not.
type crowd struct {
	*rig

	survivor *scheduler
	mortals  []*scheduler
	mu       sync.Mutex
	dice     *rand.Rand // of the round
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{rig: newRig(t)}
	for range 4 {
		c.mortals = append(c.mortals, c.replica(func(failpoint.Point, failpoint.Moment) {
			if c.roll(3) == 0 {
				runtime.Goexit()
			}
		}))
	}
	c.survivor = c.replica(nil)
	c.shortenWindow()
	return c
}

func (c *crowd) roll(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dice.IntN(n)
}

// bet is a rule and what must come of it.
type bet struct {
	config.Rule

	schedule rule.Schedule
	must     []time.Time
}

// Whatever the rules, however the replicas' clocks jump and differ, and whoever
// dies in between: there is one sweep for the latest due time at each look that
// somebody survives, each is of a due time, and none is there twice.
// LANDWAITER_E2E makes it try for ten seconds.
func TestAnyScheduleOnAnyClock(t *testing.T) {
	const rounds = 5
	var span time.Duration
	if os.Getenv("LANDWAITER_E2E") != "" {
		span = 10 * time.Second
	}
	c := newCrowd(t)
	n := 0
	for begun := time.Now(); (n < rounds || time.Since(begun) < span) && !t.Failed(); n++ {
		seed := rand.Uint64()
		c.mu.Lock()
		c.dice = rand.New(rand.NewPCG(seed, 0))
		c.mu.Unlock()
		if c.round(n); t.Failed() {
			t.Errorf("in round %d with seed %d", n, seed)
		}
	}
	t.Logf("%d rounds", n)
}

// round lets the replicas look at new rules, again and again.
func (c *crowd) round(n int) {
	c.t.Helper()
	dice := rand.New(rand.NewPCG(uint64(c.roll(1<<30)), 1)) // only for this goroutine
	bets, rules := c.bets(dice, n)
	now := noon().Add(time.Duration(dice.Int64N(int64(365 * day)))).Truncate(time.Second)
	const steps = 20
	forgets := dice.IntN(steps)
	for step := range steps {
		var running sync.WaitGroup
		for i := range dice.IntN(len(c.mortals) + 1) {
			at := now.Add(skew(dice, rules[0].Schedule))
			running.Go(func() { look(c.t.Context(), c.mortals[i], rules, at) })
		}
		running.Wait()
		c.survive(bets, rules, now)
		if step == forgets {
			c.work()
			c.passWindow()
		}
		now = now.Add(jump(dice, rules[0].Schedule))
	}
	c.work()
	for _, b := range bets {
		c.settled(b)
	}
}

func (c *crowd) bets(dice *rand.Rand, n int) ([]*bet, []config.Rule) {
	c.t.Helper()
	var bets []*bet
	var rules []config.Rule
	for i := range 1 + dice.IntN(3) {
		r := config.Rule{Name: fmt.Sprintf("r%d-%d", n, i), Registry: "hub", Schedule: anySchedule(dice)}
		schedule, err := rule.ParseSchedule(r.Schedule)
		if err != nil {
			c.t.Fatal(err)
		}
		c.configure(r.Name)
		bets, rules = append(bets, &bet{Rule: r, schedule: schedule}), append(rules, r)
	}
	return bets, rules
}

// survive lets somebody look who does not die. What is due then is known from
// where the cursor stands.
func (c *crowd) survive(bets []*bet, rules []config.Rule, now time.Time) {
	c.t.Helper()
	before := map[string]time.Time{}
	for _, b := range bets {
		due, err := c.store.Dues.Get(c.t.Context(), b.Name)
		switch {
		case err == nil:
			before[b.Name] = due.Value.Last
		case !errors.Is(err, state.ErrNotFound):
			c.t.Fatal(err)
		case b.Schedule.At == "": // what the first look makes up
			before[b.Name] = now.Add(-time.Duration(b.Schedule.EveryDays) * day)
		default:
			before[b.Name] = now
		}
	}
	look(c.t.Context(), c.survivor, rules, now)
	for _, b := range bets {
		last := before[b.Name]
		if due, ok := b.schedule.Latest(last, now); ok && due.After(last) {
			b.must, last = append(b.must, due), due
		}
		if rec, err := c.store.Dues.Get(c.t.Context(), b.Name); err != nil || !rec.Value.Last.Equal(last) {
			c.t.Errorf("%s, %+v: cursor %v, %v, want %v", b.Name, b.Schedule, rec.Value.Last, err, last)
		}
	}
}

// settled compares a rule's sweeps with what must be.
func (c *crowd) settled(b *bet) {
	c.t.Helper()
	cursor, err := c.store.Dues.Get(c.t.Context(), b.Name)
	if err != nil {
		c.t.Fatal(err)
	}
	var got []time.Time
	if err := c.store.Sweeps.All(c.t.Context(), b.Name+".>", func(s state.Record[state.Sweep]) error {
		got = append(got, s.Value.DueAt)
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
	slices.SortFunc(got, time.Time.Compare)
	if once := slices.CompactFunc(slices.Clone(got), time.Time.Equal); len(once) != len(got) {
		c.t.Errorf("%s, %+v: some due times have two sweeps: %v", b.Name, b.Schedule, got)
	}
	for _, due := range b.must {
		if !slices.ContainsFunc(got, due.Equal) {
			c.t.Errorf("%s, %+v: no sweep of %v: %v", b.Name, b.Schedule, due, got)
		}
	}
	for _, due := range got {
		if !b.due(due, cursor.Value.Last) {
			c.t.Errorf("%s, %+v: %v is no due time", b.Name, b.Schedule, due)
		}
	}
}

// due reports whether a time is one of the rule's due times, as another one is.
func (b *bet) due(at, other time.Time) bool {
	if b.Schedule.At == "" {
		return at.Sub(other)%(time.Duration(b.Schedule.EveryDays)*day) == 0
	}
	latest, ok := b.schedule.Latest(at.Add(-time.Hour), at)
	return ok && latest.Equal(at)
}
