package console

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// functions are what the pages call.
func functions() template.FuncMap {
	return template.FuncMap{
		"short": short, "ago": func(t time.Time) string { return ago(time.Since(t)) },
		"stamp": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"until": func(t time.Time) string { return span(time.Until(t)) },
		"stand": stand, "standClass": standClass, "severities": severities, "advisory": advisory,
		"percent": percent, "bytes": size, "join": strings.Join, "plus": func(a, b int) int { return a + b },
		"pushes": pushes, "dated": dated,
		"platform": func(p verdict.Platform) string {
			if p.OS == "" {
				return "platform not known"
			}
			return p.String()
		},
	}
}

// dated is who says how old an image is.
func dated(source events.DateSource) string {
	switch source {
	case events.DateWebhook:
		return "when a webhook told of its push"
	case events.DateRegistry:
		return "as the registry's list of tags says"
	case events.DateFirstSeen:
		return "when it was first seen there"
	case events.DateCreated:
		return "as the image itself says"
	default:
		return "from " + string(source)
	}
}

// pushes is what a rule says about them.
func pushes(scanned *bool) string {
	switch {
	case scanned == nil:
		return "as the registry says"
	case *scanned:
		return "scanned"
	default:
		return "not scanned"
	}
}

// short is a digest as people tell it apart.
func short(digest any) string {
	const shown = 12
	_, hex, found := strings.Cut(fmt.Sprint(digest), ":")
	if !found || len(hex) < shown {
		return fmt.Sprint(digest)
	}
	return hex[:shown]
}

func ago(d time.Duration) string {
	const now = 5 * time.Second
	if d < now {
		return "just now"
	}
	return span(d) + " ago"
}

// span is a duration in its largest unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d/day))
	}
}

// stand is a status in words.
func stand(s verdict.Status) string {
	switch s {
	case verdict.Failed:
		return "failed"
	case verdict.Unscanned:
		return "not scanned"
	case verdict.Scanning:
		return "scanning"
	case verdict.Pending:
		return "queued"
	case verdict.Scanned:
		return "read, not matched yet"
	case verdict.Checking:
		return "matching"
	case verdict.Completed:
		return "completed"
	default:
		return "not known"
	}
}

func standClass(s verdict.Status) string {
	switch s {
	case verdict.Failed:
		return "bad"
	case verdict.Completed:
		return "done"
	case verdict.Unscanned:
		return "none"
	default:
		return "busy"
	}
}

// percent is a part of a whole. Only all of it is 100 %.
func percent(part float64) string {
	const whole = 100
	return fmt.Sprintf("%d %%", int(part*whole))
}

// count is a severity and its number of findings.
type count struct {
	Name, Letter string
	N            int
}

func severities(s verdict.Summary) []count {
	return []count{
		{"critical", "C", s.Critical},
		{"high", "H", s.High},
		{"medium", "M", s.Medium},
		{"low", "L", s.Low},
		{"negligible", "N", s.Negligible},
		{"unknown", "?", s.Unknown},
	}
}

// advisory is where a vulnerability is described.
func advisory(id string) string { return "https://osv.dev/vulnerability/" + url.PathEscape(id) }

func size(n int64) string {
	const step = 1024
	value, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	unit := 0
	for value >= step && unit < len(units)-1 {
		value /= step
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
