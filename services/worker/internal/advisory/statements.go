package advisory

import (
	"iter"
	"maps"
	"slices"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

// Statements are what all records say about a package in one ecosystem.
//
// Those that a version of any age may be in come first, then the others by
// their reach, the furthest first: a version beyond one of these is beyond all
// that follow, and they need not be read. Most of what is known of a package
// was fixed long before the version in use.
type Statements struct {
	Ecosystem string
	sorted    bool // as said above
	list      string
}

// Statement is one of them, with ranges in place of intervals.
type Statement struct {
	Affected
	Ranges
}

func (s Statement) affected(ecosystem string) Affected {
	s.Ecosystem, s.Intervals = ecosystem, s.intervals()
	return s.Affected
}

// All gives every statement.
func (s Statements) All() iter.Seq2[Affected, error] {
	return func(yield func(Affected, error) bool) {
		for one, err := range s.each() {
			if !yield(one.affected(s.Ecosystem), err) {
				return
			}
		}
	}
}

// About gives the statements that may hold for a version.
func (s Statements) About(in Installed) iter.Seq2[Statement, error] {
	return func(yield func(Statement, error) bool) {
		for one, err := range s.each() {
			if err == nil && s.sorted && one.endsBefore(in) {
				return
			}
			if !yield(one, err) {
				return
			}
		}
	}
}

func (s Statements) each() iter.Seq2[Statement, error] {
	scheme := version.SchemeOf(s.Ecosystem)
	return func(yield func(Statement, error) bool) {
		d := decoder{b: s.list}
		for range d.count() {
			one := d.statement(scheme)
			if d.bad {
				break
			}
			if !yield(one, nil) {
				return
			}
		}
		if d.bad {
			yield(Statement{}, errDamaged)
		}
	}
}

// reach is the last end of a statement's intervals. It has none where versions
// of any age may be affected.
func (s Statement) reach() (furthest version.Version, ok bool) {
	if s.Unclear || len(s.Versions) > 0 || len(s.runs) == 0 {
		return version.Version{}, false
	}
	for i, r := range s.runs {
		if r.End == Never || (r.Semver && s.scheme != version.Semver) {
			return version.Version{}, false
		}
		if i > 0 {
			order, err := r.to.Compare(furthest)
			if err != nil {
				return version.Version{}, false
			}
			if order < 0 {
				continue
			}
		}
		furthest = r.to
	}
	return furthest, true
}

func (s Statement) endsBefore(in Installed) bool {
	to, ok := s.reach()
	if !ok || in.ownErr != nil {
		return false
	}
	order, err := in.own.Compare(to)
	return err == nil && order > 0
}

// told is a statement on its way into the file.
type told struct {
	statement Statement
	bounded   bool
	reach     version.Version
}

// encodeStatements writes what is said about a package, given as encoded
// affected, by ecosystem.
func encodeStatements(said []string) []byte {
	by := map[string][]told{}
	for _, value := range said {
		d := decoder{b: value}
		ecosystem := d.text()
		scheme := version.SchemeOf(ecosystem)
		one := told{statement: d.statement(scheme)}
		if scheme.Total() {
			one.reach, one.bounded = one.statement.reach()
		}
		by[ecosystem] = append(by[ecosystem], one)
	}
	var e encoder
	e.number(uint64(len(by)))
	for _, ecosystem := range slices.Sorted(maps.Keys(by)) {
		list := by[ecosystem]
		e.text(ecosystem)
		e.flag(sortByReach(list) && version.SchemeOf(ecosystem).Total())
		var inner encoder
		inner.number(uint64(len(list)))
		for _, one := range list {
			inner.statement(version.SchemeOf(ecosystem), one.statement.affected(ecosystem))
		}
		e.text(string(inner.b))
	}
	return e.b
}

// sortByReach orders statements as Statements says. It reports whether all of
// them could be compared.
func sortByReach(list []told) (sorted bool) {
	sorted = true
	slices.SortStableFunc(list, func(a, b told) int {
		switch {
		case a.bounded && b.bounded:
			order, err := b.reach.Compare(a.reach)
			sorted = sorted && err == nil
			return order
		case b.bounded:
			return -1
		case a.bounded:
			return 1
		default:
			return 0
		}
	})
	return sorted
}

// statements reads what encodeStatements wrote.
func (d *decoder) statements() []Statements {
	n := d.count()
	list := make([]Statements, 0, min(n, 64))
	for range n {
		s := Statements{Ecosystem: d.text(), sorted: d.flag()}
		size := d.count()
		s.list, d.b = d.b[:size], d.b[size:]
		if d.bad {
			return nil
		}
		list = append(list, s)
	}
	return list
}
