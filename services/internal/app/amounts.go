package app

import (
	"strconv"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Size reads a number of bytes, as 192MiB, from least to most.
func (v *Variables) Size(name string, fallback, least, most int64) int64 {
	s := v.get(name)
	if s == "" {
		return fallback
	}
	n, err := config.ParseSize(s)
	switch {
	case err != nil:
		v.mistake(name, "%w", err)
	case int64(n) < least || int64(n) > most:
		v.mistake(name, "%q is not from %s to %s", s, config.Size(least), config.Size(most))
	}
	return int64(n)
}

// Number reads a whole number from least to most.
func (v *Variables) Number(name string, fallback, least, most int64) int64 {
	s := v.get(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < least || n > most {
		v.mistake(name, "%q is not a whole number from %d to %d", s, least, most)
	}
	return n
}

// Span reads a length of time from least to most.
func (v *Variables) Span(name string, fallback, least, most time.Duration) time.Duration {
	s := v.get(name)
	if s == "" {
		return fallback
	}
	d, err := config.ParseDuration(s)
	switch {
	case err != nil:
		v.mistake(name, "%w", err)
	case d.Std() < least || d.Std() > most:
		v.mistake(name, "%q is not from %s to %s", s, config.Duration(least), config.Duration(most))
	}
	return d.Std()
}
