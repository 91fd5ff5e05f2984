// Package match compares an image inventory with an advisory database.
//
// A package is affected where a statement about its name and exactly its
// ecosystem, release included, lists its version or has it in a range, as the
// OSV schema says. Statements are folded into one finding for each flaw and
// package; see fold for what one flaw is, and rate for its severity.
package match

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// Match gives an image's findings, worst first, and notes about the packages
// that could not be compared. It never panics and never keeps silent: without
// a database (nil) there is a note, and no finding but those of the user's list
// of fingerprints. Findings of several images share their slices; they must not
// be changed.
func Match(db *advisory.DB, img inventory.Image) ([]verdict.Finding, []verdict.Note) {
	found := listedFiles(img.Packages)
	if db == nil {
		return finish(found, img.Layers), []verdict.Note{{Code: verdict.NoteNoDatabase, Message: "there is no advisory database; nothing was compared"}}
	}
	m := matcher{db: db, ecosystems: map[string]ecosystem{}, notes: newNotes(), noOS: saysUnsupported(img)}
	found = slices.Grow(found, len(img.Packages))
	for i := range img.Packages {
		pkg := &img.Packages[i]
		if pkg.OwnedBy != "" && m.covers(owner(img.Packages, pkg.OwnedBy)) {
			continue // its distribution's advisories speak for it
		}
		templates := m.findings(pkg)
		for j := range templates {
			found = append(found, stamped{&templates[j], pkg, rank(templates[j].Severity)})
		}
	}
	return finish(found, img.Layers), m.notes.list()
}

// matcher holds what one image needs again and again.
type matcher struct {
	db         *advisory.DB
	ecosystems map[string]ecosystem
	notes      *notes
	noOS       bool // the inventory says already that its distribution is not supported
}

// saysUnsupported tells whether the merge has noted that packages of the
// distribution cannot be compared. What it says once is not said again.
func saysUnsupported(img inventory.Image) bool {
	return slices.ContainsFunc(img.Notes, func(n verdict.Note) bool { return n.Code == verdict.NoteUnsupportedOS })
}

// ecosystem is what is known of one that a package names.
type ecosystem struct {
	canonical string
	covered   bool
}

// stamped is a finding before it is copied for its package.
type stamped struct {
	finding *verdict.Finding
	pkg     *inventory.Package
	rank    int
}

func (m *matcher) ecosystem(name string) ecosystem {
	e, ok := m.ecosystems[name]
	if !ok {
		e = ecosystem{canonical: advisory.Canonical(name), covered: m.db.Covers(name)}
		m.ecosystems[name] = e
	}
	return e
}

func (m *matcher) covers(name string) bool { return name != "" && m.ecosystem(name).covered }

// owner gives the ecosystem of the OS package of that name, else of any OS
// package: an image has one distribution.
func owner(packages []inventory.Package, name string) string {
	other := ""
	for i := range packages {
		p := &packages[i]
		if !isOS(p.Type) || p.Ecosystem == "" {
			continue
		}
		if p.Name == name || p.PURL == name {
			return p.Ecosystem
		}
		other = p.Ecosystem
	}
	return other
}

func isOS(kind string) bool { return kind == "deb" || kind == "apk" || kind == "rpm" }

// findings gives a package's findings without package and layer.
func (m *matcher) findings(pkg *inventory.Package) []verdict.Finding {
	if pkg.Ecosystem == "" {
		// Of a file that only the user's list knows, nothing else can be known.
		if pkg.Evidence != inventory.Hashed && (!m.noOS || !isOS(pkg.Type)) {
			m.notes.unknownEcosystem(pkg)
		}
		return nil
	}
	e := m.ecosystem(pkg.Ecosystem)
	if !e.covered {
		m.notes.notCovered(pkg)
		return nil
	}
	var found []verdict.Finding
	for i, q := range queries(e.canonical, pkg) {
		a := m.answer(q)
		m.notes.answer(pkg, a)
		if i == 0 {
			found = a.findings
			continue
		}
		found = slices.Concat(found, a.findings)
	}
	return found
}

func (m *matcher) answer(q advisory.Query) *answer {
	a, ok := remembered(m.db, q)
	if !ok {
		a = answerSafely(m.db, q)
		if a.err == nil { // a disk may recover
			m.db.Remember(q, a, 2*len(a.findings))
		}
	}
	return a
}

func remembered(db *advisory.DB, q advisory.Query) (*answer, bool) {
	v, ok := db.Remembered(q)
	if !ok {
		return nil, false
	}
	a, ok := v.(*answer)
	return a, ok
}

// answerSafely turns a panic into a note: what is compared comes from outside.
func answerSafely(db *advisory.DB, q advisory.Query) (a *answer) {
	defer func() {
		if p := recover(); p != nil {
			a = &answer{err: fmt.Errorf("compare %s %s: %v", q.Name, q.Version, p)}
		}
	}()
	return ask(db, q)
}

// finish orders findings, drops repeated ones (a package found twice in one
// layer) and fills in package and layer.
func finish(found []stamped, layers []verdict.Layer) []verdict.Finding {
	slices.SortFunc(found, func(a, b stamped) int {
		return cmp.Or(
			a.rank-b.rank,
			strings.Compare(a.finding.ID, b.finding.ID),
			strings.Compare(purl(a.pkg), purl(b.pkg)),
			cmp.Compare(a.pkg.Layer, b.pkg.Layer),
		)
	})
	found = slices.CompactFunc(found, func(a, b stamped) bool {
		return a.finding.ID == b.finding.ID && a.pkg.Layer == b.pkg.Layer && purl(a.pkg) == purl(b.pkg)
	})
	out := make([]verdict.Finding, len(found))
	for i, s := range found {
		out[i] = *s.finding
		out[i].Package = purl(s.pkg)
		if n := s.pkg.Layer; n >= 0 && n < len(layers) {
			out[i].Layer = verdict.LayerRef{Index: n, Digest: layers[n].Digest, CreatedBy: layers[n].CreatedBy}
		}
	}
	return out
}

// purl names a package; the merge leaves it out where it knows no distribution.
func purl(p *inventory.Package) string {
	if p.PURL != "" {
		return p.PURL
	}
	return "pkg:" + p.Type + "/" + p.Name + "@" + p.Version
}
