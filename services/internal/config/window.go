package config

import (
	"errors"
	"time"
)

// Day is a calendar day, as seen from now.
type Day string

// The days that a window can name.
const (
	Today     Day = "today"
	Yesterday Day = "yesterday"
)

// allWindow is how a window that leaves nothing out may be written.
const allWindow = "all"

// Window says how recently an image is to have been pushed: within a last
// while ("7d", "12h"), or on a calendar day ("today", "yesterday"; see
// rule.Pushed for its time zone). Its zero value ("all", or left out) means any
// time.
type Window struct {
	Last Duration
	Day  Day // then Last is 0
}

// Within is the window of a last while.
func Within(d time.Duration) Window { return Window{Last: Duration(d)} }

// ParseWindow reads a window of up to ten years.
func ParseWindow(s string) (Window, error) {
	switch day := Day(s); {
	case s == allWindow:
		return Window{}, nil
	case day == Today, day == Yesterday:
		return Window{Day: day}, nil
	}
	d, err := ParseDuration(s)
	if err != nil {
		return Window{}, err
	}
	if d == 0 {
		return Window{}, errors.New("must be longer than 0")
	}
	return Window{Last: d}, nil
}

// String writes the form that ParseWindow reads.
func (w Window) String() string {
	switch {
	case w.Day != "":
		return string(w.Day)
	case w.Last == 0:
		return allWindow
	default:
		return w.Last.String()
	}
}

// MarshalText is String.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText is ParseWindow.
func (w *Window) UnmarshalText(b []byte) error {
	v, err := ParseWindow(string(b))
	if err != nil {
		return err
	}
	*w = v
	return nil
}

// hint is what to write instead of a mistake.
func (Window) hint() string { return "as today, yesterday, 7d or 12h; leave it out to mean any time" }
