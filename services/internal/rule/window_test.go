package rule_test

import (
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/rule"
)

func TestPushed(t *testing.T) {
	const now = "2026-03-10T23:30:00Z" // the 11th in Berlin, the 10th in UTC
	for _, tt := range []struct{ window, zone, now, from, until string }{
		{"today", "", now, "2026-03-10T00:00:00Z", ""},
		{"today", "Europe/Berlin", now, "2026-03-10T23:00:00Z", ""},
		{"yesterday", "", now, "2026-03-09T00:00:00Z", "2026-03-10T00:00:00Z"},
		{"yesterday", "Europe/Berlin", now, "2026-03-09T23:00:00Z", "2026-03-10T23:00:00Z"},
		{"yesterday", "America/New_York", now, "2026-03-09T04:00:00Z", "2026-03-10T04:00:00Z"},
		{"yesterday", "Europe/Berlin", "2026-03-30T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // of 23 hours
		{"today", "America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z", ""},                      // it has no midnight
		{"yesterday", "", "2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"7d", "Europe/Berlin", now, "2026-03-03T23:30:00Z", ""},
		{"30d", "", now, "2026-02-08T23:30:00Z", ""},
		{"12h", "", now, "2026-03-10T11:30:00Z", ""},
	} {
		w, err := config.ParseWindow(tt.window)
		if err != nil {
			t.Fatal(err)
		}
		span := rule.Pushed(config.Rule{PushedWithin: w, Schedule: config.Schedule{Timezone: tt.zone}}, moment(t, tt.now))
		from := moment(t, tt.from)
		if !span.From.Equal(from) || span.Until.IsZero() != (tt.until == "") || tt.until != "" && !span.Until.Equal(moment(t, tt.until)) {
			t.Errorf("%s in %q at %s: got %s to %s", tt.window, tt.zone, tt.now, span.From.UTC(), span.Until.UTC())
		}
		if !span.Holds(from) || span.Holds(from.Add(-1)) || span.Holds(time.Time{}) {
			t.Errorf("%s: the span is not closed at its beginning", tt.window)
		}
		if tt.until != "" && (span.Holds(span.Until) || !span.Holds(span.Until.Add(-1))) {
			t.Errorf("%s: the span is not open at its end", tt.window)
		}
	}
	if !rule.Pushed(config.Rule{}, time.Now()).Holds(time.Time{}) {
		t.Error("any time leaves out what is not known")
	}
}
