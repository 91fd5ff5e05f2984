package rule

import (
	"fmt"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Schedule is a compiled schedule. Due times depend only on the schedule and
// on an anchor, the time the rule was made, so that every replica computes
// the same ones.
//
// Without a time of day a rule is due at the anchor and every N times 24 hours
// after it. With one it is due once on each day of its time zone from the
// anchor on: a local time that the clocks skip becomes the moment they are put
// forward, one that occurs twice is due the first time.
type Schedule struct {
	every        time.Duration
	zone         *time.Location // nil: no time of day
	hour, minute int
}

// ParseSchedule compiles an effective schedule (see config.Defaults.Effective).
func ParseSchedule(s config.Schedule) (Schedule, error) {
	if err := config.CheckSchedule(s); err != nil {
		return Schedule{}, fmt.Errorf("schedule: %w", err)
	}
	out := Schedule{every: time.Duration(max(s.EveryDays, 1)) * 24 * time.Hour}
	if s.At == "" {
		return out, nil
	}
	clock, err := time.Parse("15:04", s.At)
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule: at: %w", err)
	}
	out.hour, out.minute = clock.Hour(), clock.Minute()
	out.zone, err = time.LoadLocation(s.Timezone)
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule: timezone: %w", err)
	}
	return out, nil
}

// Latest is the last due time that is not after now, in UTC; false when there
// was none yet. Whoever was away catches up with this one and no other.
func (s Schedule) Latest(anchor, now time.Time) (time.Time, bool) {
	if s.zone != nil {
		return s.dailyLatest(anchor, now)
	}
	anchor = anchor.UTC().Round(0)
	if now.Before(anchor) {
		return time.Time{}, false
	}
	return anchor.Add(s.elapsed(anchor, now)), true
}

// elapsed is the time of whole periods between the anchor and a moment.
func (s Schedule) elapsed(anchor, t time.Time) time.Duration {
	return t.Sub(anchor).Truncate(s.period())
}

// period keeps the zero value from dividing by zero: it is daily.
func (s Schedule) period() time.Duration { return max(s.every, 24*time.Hour) }
