package advisory

import "github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"

// Installed is a version to compare with intervals, parsed once.
type Installed struct {
	Text      string
	own       version.Version
	semver    version.Version
	ownErr    error
	semverErr error
}

// NewInstalled parses a version by its ecosystem's scheme.
func NewInstalled(scheme version.Scheme, text string) Installed {
	in := Installed{Text: text}
	in.own, in.ownErr = version.Parse(scheme, text)
	if scheme == version.Semver {
		in.semver, in.semverErr = in.own, in.ownErr
	} else {
		in.semver, in.semverErr = version.Parse(version.Semver, text)
	}
	return in
}

// Comparable tells whether the version can be ordered in its ecosystem.
func (in Installed) Comparable() bool { return in.ownErr == nil }

// Ranges are intervals with their ends parsed.
type Ranges struct {
	scheme version.Scheme
	runs   []run
}

type run struct {
	Interval
	from, to version.Version
}

// NewRanges parses the ends of intervals; one that cannot be parsed, which
// only a damaged file has, holds nothing.
func NewRanges(scheme version.Scheme, intervals []Interval) Ranges {
	r := Ranges{scheme: scheme, runs: make([]run, 0, len(intervals))}
	for _, iv := range intervals {
		s := scheme
		if iv.Semver {
			s = version.Semver
		}
		parsed := run{Interval: iv}
		var err error
		if iv.From != "" {
			if parsed.from, err = version.Parse(s, iv.From); err != nil {
				continue
			}
		}
		if iv.End != Never {
			if parsed.to, err = version.Parse(s, iv.To); err != nil {
				continue
			}
		}
		r.runs = append(r.runs, parsed)
	}
	return r
}

// Holding gives the first interval that a version lies in.
func (r Ranges) Holding(in Installed) (Interval, bool) {
	for i := range r.runs {
		if r.runs[i].holds(in) {
			return r.runs[i].Interval, true
		}
	}
	return Interval{}, false
}

// All gives every interval that a version lies in.
func (r Ranges) All(in Installed) []Interval {
	var out []Interval
	for i := range r.runs {
		if r.runs[i].holds(in) {
			out = append(out, r.runs[i].Interval)
		}
	}
	return out
}

func (r *run) holds(in Installed) bool {
	v, err := in.own, in.ownErr
	if r.Semver {
		v, err = in.semver, in.semverErr
	}
	if err != nil {
		return false
	}
	if r.From != "" {
		if order, err := v.Compare(r.from); err != nil || order < 0 {
			return false
		}
	}
	if r.End == Never {
		return true
	}
	order, err := v.Compare(r.to)
	if err != nil {
		return false
	}
	return order < 0 || (order == 0 && r.End == LastAt)
}

// Equals tells whether the version is equal to one of its ecosystem.
func (in Installed) Equals(v version.Version) bool {
	if in.ownErr != nil {
		return false
	}
	order, err := in.own.Compare(v)
	return err == nil && order == 0
}

// Compare orders two versions of one ecosystem; as semantic versions where it
// cannot order them, and as equal where nothing can.
func (in Installed) Compare(other Installed) int {
	if in.ownErr == nil && other.ownErr == nil {
		if order, err := in.own.Compare(other.own); err == nil {
			return order
		}
	}
	if in.semverErr == nil && other.semverErr == nil {
		if order, err := in.semver.Compare(other.semver); err == nil {
			return order
		}
	}
	return 0
}
