package rule

import (
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Span is a stretch of time. A zero end is none.
type Span struct{ From, Until time.Time }

// Holds reports whether a moment lies in the span, whose end is not part of it.
// A time that is not known lies in none that has a beginning.
func (s Span) Holds(t time.Time) bool {
	return !t.Before(s.From) && (s.Until.IsZero() || t.Before(s.Until))
}

// Pushed is when a rule's images are to have been pushed. Days are those of the
// schedule's time zone, else of UTC: "today" began at its last midnight,
// "yesterday" ended there.
func Pushed(r config.Rule, now time.Time) Span {
	switch w := r.PushedWithin; {
	case w.Day == config.Today:
		return Span{From: midnight(r.Schedule.Timezone, now, 0)}
	case w.Day == config.Yesterday:
		return Span{From: midnight(r.Schedule.Timezone, now, -1), Until: midnight(r.Schedule.Timezone, now, 0)}
	case w.Last > 0:
		return Span{From: now.Add(-w.Last.Std())}
	}
	return Span{}
}

// midnight is when the day some days from now's began: where the clocks skip
// that moment, when they are put forward.
func midnight(zone string, now time.Time, days int) time.Time {
	location, err := time.LoadLocation(zone)
	if err != nil {
		location = time.UTC // a rule with a zone that is none was refused when it was stored
	}
	y, m, d := now.In(location).Date()
	return wall(y, m, d+days, 0, 0, location)
}
