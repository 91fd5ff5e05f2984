package match

import (
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

// answer is what the database says of a package. It is remembered and shared.
type answer struct {
	findings    []verdict.Finding // without package and layer
	versionless bool              // there are advisories, and no version to compare
	listOnly    bool              // the version could not be ordered: only lists were looked at
	onlyPro     bool              // what is known against the version is known to Ubuntu Pro alone
	err         error
}

// hit is a record that applies to the package.
type hit struct {
	record   advisory.Record
	distro   bool
	ratings  []advisory.Rating // of its matching statements
	cvss     []advisory.CVSS   // of its matching statements
	ranges   []advisory.Ranges // of its matching statements
	matching []advisory.Interval
}

// ask compares one package with all statements about it.
func ask(db *advisory.DB, q advisory.Query) *answer {
	statements, err := db.Affected(advisory.Family(q.Ecosystem), q.Name)
	if err != nil {
		return &answer{err: err}
	}
	var pro []advisory.Affected
	statements = slices.DeleteFunc(statements, func(a advisory.Affected) bool {
		if advisory.ProOf(q.Ecosystem, a.Ecosystem) {
			pro = append(pro, a)
		}
		return !advisory.SameRelease(q.Ecosystem, a.Ecosystem) || !sameModule(q.Module, a.Module)
	})
	if len(statements)+len(pro) == 0 {
		return &answer{}
	}
	if q.Version == "" {
		return &answer{versionless: true}
	}
	scheme := version.SchemeOf(q.Ecosystem)
	installed := advisory.NewInstalled(scheme, q.Version)
	a := &answer{listOnly: !installed.Comparable()}
	a.onlyPro = slices.ContainsFunc(pro, func(s advisory.Affected) bool {
		return len(advisory.NewRanges(scheme, s.Intervals).All(installed)) > 0 || listed(scheme, s.Versions, installed)
	})
	hits := map[string]*hit{}
	for i := range statements {
		if err := collect(db, hits, &statements[i], scheme, installed); err != nil {
			return &answer{err: err}
		}
	}
	if len(hits) > 0 {
		a.findings, a.err = fold(db, hits, scheme)
	}
	return a
}

// collect adds a statement to the hits where it holds for the version.
func collect(db *advisory.DB, hits map[string]*hit, s *advisory.Affected, scheme version.Scheme, in advisory.Installed) error {
	ranges := advisory.NewRanges(scheme, s.Intervals)
	matching := ranges.All(in)
	if len(matching) == 0 && !listed(scheme, s.Versions, in) {
		return nil
	}
	h := hits[s.ID]
	if h == nil {
		record, found, err := db.Record(s.ID)
		if err != nil {
			return err
		}
		if !found {
			record = advisory.Record{ID: s.ID}
		}
		h = &hit{record: record, distro: scheme == "Debian" || scheme == "Alpine" || scheme == "Red Hat"}
		hits[s.ID] = h
	}
	h.matching = append(h.matching, matching...)
	h.ranges = append(h.ranges, ranges)
	h.cvss = append(h.cvss, s.CVSS...)
	if s.Rating.Word != "" {
		h.ratings = append(h.ratings, s.Rating)
	}
	return nil
}

// listed tells whether a version is in a list, as written or as an equal.
func listed(scheme version.Scheme, versions []string, in advisory.Installed) bool {
	if slices.Contains(versions, in.Text) {
		return true
	}
	if len(versions) == 0 || !in.Comparable() {
		return false
	}
	return slices.ContainsFunc(versions, func(text string) bool {
		v, err := version.Parse(scheme, text)
		return err == nil && in.Equals(v)
	})
}

// sameModule compares an installed rpm's module ("nodejs:18:8060…:abc") with
// the stream a statement is about ("nodejs:18"). A statement about no stream
// is about every package: not all sources write it.
func sameModule(installed, stated string) bool {
	return stated == "" || installed == stated || strings.HasPrefix(installed, stated+":")
}
