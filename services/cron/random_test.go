package cron

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/rule"
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

// Whatever the schedule, however clocks jump, and whoever dies in between:
// there is one sweep for the latest due time at each look, none for those that
// were missed, and none that the clock goes back to.
func TestAnyScheduleOnAnyClock(t *testing.T) {
	rounds := 4
	if os.Getenv("LANDWAITER_E2E") != "" {
		rounds = 40
	}
	for range rounds {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { anyScheduleOnAnyClock(t, seed) })
	}
}

func anyScheduleOnAnyClock(t *testing.T, seed uint64) {
	t.Helper()
	dice := rand.New(rand.NewPCG(seed, 0))
	cfg := anySchedule(dice)
	schedule, err := rule.ParseSchedule(cfg)
	if err != nil {
		t.Fatal(err)
	}
	rules := []config.Rule{{Name: "r", Registry: "hub", Schedule: cfg}}
	r := newRig(t)
	var mu sync.Mutex
	mortal := r.replica(func(failpoint.Point, failpoint.Moment) {
		mu.Lock()
		dies := dice.IntN(3) == 0
		mu.Unlock()
		if dies {
			runtime.Goexit()
		}
	})
	survivor := r.replica(nil)
	r.shortenWindow()

	now := noon().Add(time.Duration(dice.Int64N(int64(365 * day)))).Truncate(time.Second)
	last := now // what the first look makes up
	if cfg.At == "" {
		last = now.Add(-time.Duration(cfg.EveryDays) * day)
	}
	want := []time.Time{}
	for step := range 25 {
		if step > 0 {
			var running sync.WaitGroup
			for range 2 {
				running.Go(func() { look(t.Context(), mortal, rules, now) })
			}
			running.Wait()
		}
		look(t.Context(), survivor, rules, now)
		if due, ok := schedule.Latest(last, now); ok && due.After(last) {
			want, last = append(want, due), due
		}
		if step%8 == 7 {
			r.work()
			r.passWindow()
		}
		mu.Lock()
		now = now.Add(jump(dice, cfg))
		mu.Unlock()
	}
	r.want(want)
}
