package advisory

import "github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"

// Installed is a version to compare with intervals, parsed once.
type Installed struct {
	Text   string
	own    version.Version
	ownErr error
}

// NewInstalled parses a version by its ecosystem's scheme.
func NewInstalled(scheme version.Scheme, text string) Installed {
	in := Installed{Text: text}
	in.own, in.ownErr = version.Parse(scheme, text)
	return in
}

// Comparable tells whether the version can be ordered in its ecosystem.
func (in Installed) Comparable() bool { return in.ownErr == nil }

// Ranges are intervals to compare with.
type Ranges struct {
	scheme version.Scheme
	runs   []run
}

// run is an interval with its end parsed. Few versions are before that, and
// few intervals have a beginning: it is parsed when it is needed.
type run struct {
	Interval
	to version.Version
}

// scheme is what an interval of an ecosystem with a scheme is compared by.
func (iv Interval) scheme(own version.Scheme) version.Scheme {
	if iv.Semver {
		return version.Semver
	}
	return own
}

// newRanges parses the ends of intervals, which were understood before.
func newRanges(scheme version.Scheme, intervals []Interval) Ranges {
	r := Ranges{scheme: scheme, runs: make([]run, 0, len(intervals))}
	for _, iv := range intervals {
		r.runs = append(r.runs, run{iv, trusted(iv.scheme(scheme), iv.To)})
	}
	return r
}

// trusted is a version that was understood before.
func trusted(scheme version.Scheme, text string) version.Version {
	return version.Keyed(scheme, text, version.Key(scheme, text))
}

func (r Ranges) intervals() []Interval {
	var out []Interval
	for i := range r.runs {
		out = append(out, r.runs[i].Interval)
	}
	return out
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
		v, err = in.semver()
	}
	if err != nil {
		return false
	}
	if r.End != Never {
		order, err := v.Compare(r.to)
		if err != nil || order > 0 || (order == 0 && r.End != LastAt) {
			return false
		}
	}
	if r.From == "" {
		return true
	}
	order, err := v.Compare(trusted(v.Scheme(), r.From))
	return err == nil && order >= 0
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
	v, errV := in.semver()
	w, errW := other.semver()
	if errV == nil && errW == nil {
		if order, err := v.Compare(w); err == nil {
			return order
		}
	}
	return 0
}

// semver is the version as a semantic one, which few ranges outside of their
// ecosystems ask for.
func (in Installed) semver() (version.Version, error) {
	if in.own.Scheme() == version.Semver {
		return in.own, nil
	}
	return version.Parse(version.Semver, in.Text)
}
