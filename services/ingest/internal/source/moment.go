package source

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// chinaStandardTime is the zone of the one sender that leaves it out, Alibaba.
const chinaStandardTime = 8 * 60 * 60

// earliest is before any registry: whatever is older is a placeholder, such as
// the year 1 that some senders write for no time.
const earliest = 1970

// moment reads a sender's time, a JSON string or number. Senders write it in
// many ways, some of them impossible; a time that cannot be read is absent and
// refuses nothing.
func moment(raw json.RawMessage) time.Time {
	s := strings.TrimSpace(string(raw))
	if strings.HasPrefix(s, `"`) {
		var text string
		if p := (plain{text: raw}); !p.read(&text) && json.Unmarshal(raw, &text) != nil {
			return time.Time{}
		}
		s = strings.TrimSpace(text)
	}
	t := written(s)
	if t.IsZero() {
		t = unixSeconds(s)
	}
	if y := t.Year(); y <= earliest || y > 9999 {
		return time.Time{}
	}
	return t.UTC()
}

// written reads a date and a time of day.
func written(s string) time.Time {
	const longest = 64
	if len(s) > longest {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	t, err := time.ParseInLocation(time.DateTime, s, time.FixedZone("CST", chinaStandardTime))
	if err != nil {
		return time.Time{}
	}
	return t
}

// unixSeconds reads seconds since 1970, whole or not, also as 1.417566161e+09.
func unixSeconds(s string) time.Time {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0)
	}
	f, err := strconv.ParseFloat(s, 64)
	const most = 1 << 40 // far beyond the year 9999, and exact in nanoseconds below
	if err != nil || math.IsNaN(f) || f < 0 || f > most {
		return time.Time{}
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second)))
}
