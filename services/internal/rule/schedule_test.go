package rule_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/rule"
)

func schedule(t *testing.T, s config.Schedule) rule.Schedule {
	t.Helper()
	out, err := rule.ParseSchedule(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func moment(t *testing.T, s string) time.Time {
	t.Helper()
	m, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDue(t *testing.T) {
	berlin := config.Schedule{EveryDays: 1, At: "02:30", Timezone: "Europe/Berlin"}
	tests := []struct {
		name                string
		schedule            config.Schedule
		anchor, after, want string
	}{
		{"first", config.Schedule{EveryDays: 7}, "2026-01-10T12:00:00Z", "2026-01-01T00:00:00Z", "2026-01-10T12:00:00Z"},
		{"second", config.Schedule{EveryDays: 7}, "2026-01-10T12:00:00Z", "2026-01-10T12:00:00Z", "2026-01-17T12:00:00Z"},
		{"daily UTC", config.Schedule{EveryDays: 1, At: "02:00"}, "2026-01-10T12:00:00Z", "2026-01-10T12:00:00Z", "2026-01-11T02:00:00Z"},
		{"same day", config.Schedule{EveryDays: 1, At: "13:00"}, "2026-01-10T12:00:00Z", "2026-01-10T12:00:00Z", "2026-01-10T13:00:00Z"},
		{"before the anchor", config.Schedule{EveryDays: 1, At: "13:00"}, "2026-01-10T12:00:00Z", "2025-01-10T12:00:00Z", "2026-01-10T13:00:00Z"},
		{"winter", berlin, "2026-01-01T00:00:00Z", "2026-01-10T12:00:00Z", "2026-01-11T01:30:00Z"},
		{"summer", berlin, "2026-01-01T00:00:00Z", "2026-07-10T12:00:00Z", "2026-07-11T00:30:00Z"},
		{"skipped hour", berlin, "2026-01-01T00:00:00Z", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"after the skipped hour", berlin, "2026-01-01T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		{"doubled hour", berlin, "2026-01-01T00:00:00Z", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"after the doubled hour", berlin, "2026-01-01T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{
			"skipped day",
			config.Schedule{EveryDays: 1, At: "02:00", Timezone: "Pacific/Apia"},
			"2011-01-01T00:00:00Z", "2011-12-29T12:30:00Z", "2011-12-30T10:00:00Z",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := schedule(t, tt.schedule)
			anchor, after := moment(t, tt.anchor), moment(t, tt.after)
			got := s.Due(anchor, after)
			if got.Format(time.RFC3339) != tt.want {
				t.Errorf("got %s, want %s", got.Format(time.RFC3339), tt.want)
			}
			if latest, ok := s.Latest(anchor, got); !ok || !latest.Equal(got) {
				t.Errorf("Latest at that time: got %s, %t", latest, ok)
			}
		})
	}
}

func TestLatestBeforeTheFirst(t *testing.T) {
	for _, s := range []config.Schedule{{EveryDays: 3}, {EveryDays: 1, At: "13:00"}} {
		anchor := moment(t, "2026-01-10T13:00:01Z")
		if got, ok := schedule(t, s).Latest(anchor, anchor.Add(-time.Second)); ok {
			t.Errorf("%+v: got %s, want none", s, got)
		}
	}
	for _, s := range []config.Schedule{{EveryDays: 400}, {EveryDays: 2, At: "13:00"}, {At: "25:00"}, {At: "01:00", Timezone: "X/Y"}} {
		if _, err := rule.ParseSchedule(s); err == nil {
			t.Errorf("%+v: got no error", s)
		}
	}
}

// TestEachDueOnce lets a clock jump over random schedules: what is due never
// goes back, every due time is met exactly, and none lies between two.
func TestEachDueOnce(t *testing.T) {
	zones := []string{"", "UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/St_Johns"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		cfg := config.Schedule{EveryDays: 1 + random.IntN(365)}
		if random.IntN(3) > 0 {
			at := time.Date(0, 1, 1, random.IntN(24), random.IntN(60), 0, 0, time.UTC)
			cfg = config.Schedule{EveryDays: 1, At: at.Format("15:04"), Timezone: zones[random.IntN(len(zones))]}
		}
		s := schedule(t, cfg)
		anchor := time.Unix(1_200_000_000+random.Int64N(500_000_000), random.Int64N(1e9))
		now := anchor.Add(-time.Hour)
		last, _ := s.Latest(anchor, now)
		for range 100 {
			now = now.Add(time.Duration(random.Int64N(int64(40 * time.Hour))))
			got, ok := s.Latest(anchor, now)
			if !ok {
				continue
			}
			next := s.Due(anchor, got)
			switch {
			case got.After(now) || got.Before(anchor) || got.Before(last):
				t.Fatalf("%+v: latest at %s is %s after %s (made %s)", cfg, now, got, last, anchor)
			case !next.After(now):
				t.Fatalf("%+v: %s is due before %s, latest says %s", cfg, next, now, got)
			case !s.Due(anchor, got.Add(-1)).Equal(got):
				t.Fatalf("%+v: %s is no due time", cfg, got)
			case next.Sub(got) > time.Duration(cfg.EveryDays)*24*time.Hour+25*time.Hour:
				t.Fatalf("%+v: nothing due between %s and %s", cfg, got, next)
			}
			last = got
		}
	}
}
