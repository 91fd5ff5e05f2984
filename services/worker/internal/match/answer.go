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
	unclear     bool              // there are advisories whose ranges cannot be understood
	listOnly    bool              // the version could not be ordered: only lists were looked at
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
	all, err := db.Affected(advisory.Family(q.Ecosystem), q.Name)
	if err != nil {
		return &answer{err: err}
	}
	a := &answer{}
	scheme := version.SchemeOf(q.Ecosystem)
	installed := advisory.NewInstalled(scheme, q.Version)
	hits := map[string]*hit{}
	for _, statements := range all {
		if !advisory.SameRelease(q.Ecosystem, statements.Ecosystem) {
			continue
		}
		for s, err := range statements.About(installed) {
			switch {
			case err != nil:
				return &answer{err: err}
			case !sameModule(q.Module, s.Module):
				continue
			case q.Version == "":
				return &answer{versionless: true}
			}
			a.listOnly = !installed.Comparable()
			a.unclear = a.unclear || s.Unclear
			if err := collect(db, hits, &s, scheme, installed); err != nil {
				return &answer{err: err}
			}
		}
	}
	if len(hits) > 0 {
		a.findings, a.err = fold(db, hits, scheme)
	}
	return a
}

// collect adds a statement to the hits where it holds for the version.
func collect(db *advisory.DB, hits map[string]*hit, s *advisory.Statement, scheme version.Scheme, in advisory.Installed) error {
	matching := s.All(in)
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
			record = advisory.Record{ID: strings.Clone(s.ID)}
		}
		h = &hit{record: record, distro: scheme == "Debian" || scheme == "Alpine" || scheme == "Red Hat"}
		hits[s.ID] = h
	}
	h.matching = append(h.matching, matching...)
	h.ranges = append(h.ranges, s.Ranges)
	for _, c := range s.CVSS { // its texts are parts of all that is said about the package
		h.cvss = append(h.cvss, advisory.CVSS{Version: strings.Clone(c.Version), Score: c.Score, Vector: strings.Clone(c.Vector)})
	}
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
