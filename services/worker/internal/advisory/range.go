package advisory

import (
	"fmt"
	"slices"
	"sort"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

// maxEvents bounds one range; the longest real ones have a few hundred.
const maxEvents = 20_000

// point is an event with its version parsed. start marks version "0", which is
// below everything.
type point struct {
	kind  string
	text  string
	start bool
	at    version.Version
}

// intervals turns a range's events into runs of affected versions. One event
// that cannot be understood makes the whole range unusable: what lies on its
// other side is not known.
func intervals(scheme version.Scheme, semver bool, events []osvEvent) ([]Interval, error) {
	if len(events) > maxEvents {
		return nil, fmt.Errorf("%d events", len(events))
	}
	points, limits, err := parseEvents(scheme, events)
	if err != nil {
		return nil, err
	}
	if err := sortPoints(points); err != nil {
		return nil, err
	}
	runs := walk(points, semver)
	if len(limits) == 0 {
		return runs, nil
	}
	if err := sortPoints(limits); err != nil {
		return nil, err
	}
	return cutAt(scheme, runs, limits[len(limits)-1])
}

// parseEvents splits a range's events into borders and limits. A limit of "*"
// is none at all.
func parseEvents(scheme version.Scheme, events []osvEvent) (points, limits []point, err error) {
	unlimited := false
	for _, e := range events {
		for _, p := range e.points() {
			if p.kind == "limit" && p.text == "*" {
				unlimited = true
				continue
			}
			if p.start = p.text == "0"; !p.start {
				if p.at, err = version.Parse(scheme, p.text); err != nil {
					return nil, nil, fmt.Errorf("event %s: %w", p.kind, err)
				}
			}
			if p.kind == "limit" {
				limits = append(limits, p)
			} else {
				points = append(points, p)
			}
		}
	}
	if unlimited {
		limits = nil
	}
	return points, limits, nil
}

// sortPoints orders by version and keeps the given order between equals.
func sortPoints(points []point) error {
	var failed error
	sort.SliceStable(points, func(i, j int) bool {
		order, err := points[i].compare(points[j])
		if err != nil {
			failed = err
		}
		return order < 0
	})
	return failed
}

func (p point) compare(other point) (int, error) {
	switch {
	case p.start && other.start:
		return 0, nil
	case p.start:
		return -1, nil
	case other.start:
		return 1, nil
	default:
		return p.at.Compare(other.at)
	}
}

// walk turns sorted borders into runs.
//
// The schema does not order events of one version, and records have them in
// any. A run that is open ends before the next begins (fixed 1, introduced 1:
// two runs that touch); where none is open, one begins before it ends
// (introduced 1, fixed 1: an empty run). What is fixed in a version cannot be
// last affected in it.
func walk(points []point, semver bool) []Interval {
	w := walker{semver: semver}
	for len(points) > 0 {
		n := 1
		for n < len(points) {
			if order, err := points[0].compare(points[n]); err != nil || order != 0 {
				break
			}
			n++
		}
		order := []string{"introduced", "fixed", "last_affected"}
		if w.open != nil {
			order = []string{"fixed", "last_affected", "introduced"}
		}
		for _, kind := range order {
			for _, p := range points[:n] {
				if p.kind == kind {
					w.pass(p)
				}
			}
		}
		points = points[n:]
	}
	if w.open != nil {
		w.runs = append(w.runs, *w.open)
	}
	return w.runs
}

// walker is between two points.
type walker struct {
	semver bool
	runs   []Interval
	open   *Interval
}

func (w *walker) pass(p point) {
	switch {
	case p.kind == "introduced" && w.open == nil:
		w.open = &Interval{Semver: w.semver}
		if !p.start {
			w.open.From = p.text
		}
	case p.kind == "fixed" && w.open != nil:
		if w.open.From != p.text && !p.start {
			w.end(p, FixedAt)
		}
		w.open = nil
	case p.kind == "last_affected" && w.open != nil:
		w.end(p, LastAt)
		w.open = nil
	}
}

func (w *walker) end(p point, how End) {
	w.open.To, w.open.End = p.text, how
	w.runs = append(w.runs, *w.open)
}

// cutAt ends runs at a limit: only versions before the highest one count.
func cutAt(scheme version.Scheme, runs []Interval, limit point) ([]Interval, error) {
	if limit.start {
		return nil, nil
	}
	var failed error
	before := func(text string) bool {
		v, err := version.Parse(scheme, text)
		if err == nil {
			var order int
			if order, err = v.Compare(limit.at); err == nil {
				return order < 0
			}
		}
		failed = err
		return false
	}
	runs = slices.DeleteFunc(runs, func(r Interval) bool { return r.From != "" && !before(r.From) })
	for i := range runs {
		r := &runs[i]
		if r.End == FixedAt && r.To == limit.text {
			continue
		}
		if r.End == Never || !before(r.To) {
			r.To, r.End = limit.text, LimitAt
		}
	}
	return runs, failed
}
