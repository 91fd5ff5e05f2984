package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes that is written with a unit ("192MiB", "32GiB",
// "500MB") or without ("2000").
type Size int64

// units are powers of two with an i, of ten without; the largest come first.
func units() []struct {
	name  string
	bytes int64
} {
	return []struct {
		name  string
		bytes int64
	}{
		{"TiB", 1 << 40},
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"TB", 1e12},
		{"GB", 1e9},
		{"MB", 1e6},
		{"kB", 1e3},
		{"B", 1},
	}
}

// ParseSize reads a size from zero to what 63 bits hold.
func ParseSize(s string) (Size, error) {
	number, factor := s, int64(1)
	for _, u := range units() {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			number, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a size: write a whole number of bytes, or one with KiB, MiB, GiB or TiB behind it", s)
	}
	return Size(n * factor), nil
}

// String writes whole binary units as "192MiB" and everything else in bytes.
func (s Size) String() string {
	for _, u := range units()[:4] {
		if n := int64(s); n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}
