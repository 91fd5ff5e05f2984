package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// maxDays keeps a duration within ten years: longer ones are slips.
const maxDays = 3650

// Duration is a length of time that is written as Go writes it ("36h",
// "1m30s") or with days in front ("30d", "1d12h"). A day is 24 hours.
type Duration time.Duration

// ParseDuration reads a duration from zero to ten years.
func ParseDuration(s string) (Duration, error) {
	var d time.Duration
	rest := s
	if days, r, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n > maxDays {
			return 0, fmt.Errorf("%q is not a duration: the days must be a number from 0 to %d", s, maxDays)
		}
		d, rest = time.Duration(n)*day, r
	}
	if rest != "" || s == "" {
		t, err := time.ParseDuration(rest)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		if t < 0 || t > maxDays*day {
			return 0, fmt.Errorf("%q is not from 0 to %d days", s, maxDays)
		}
		d += t
	}
	if d > maxDays*day {
		return 0, fmt.Errorf("%q is longer than %d days", s, maxDays)
	}
	return Duration(d), nil
}

// Std is the duration as the standard library knows it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes whole days as "30d" and everything else as Go does.
func (d Duration) String() string {
	t := time.Duration(d)
	if t != 0 && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	return t.String()
}

// MarshalText writes the form that ParseDuration reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}
