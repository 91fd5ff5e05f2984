package advisory

import (
	"maps"
	"slices"
)

// flaws joins what records and feeds say about CVEs.
type flaws struct {
	feeds feeds
	known map[string]*known
}

type known struct {
	Flaw
	direct bool // the vector is from a record that is this CVE, not one built on it
}

func newFlaws(f feeds) *flaws { return &flaws{feeds: f, known: map[string]*known{}} }

// add takes a record's severity for its CVE. A record about several flaws says
// nothing about a single one of them: its vector is that of the worst.
func (f *flaws) add(k kept) {
	d := decoder{b: k.record}
	r := d.record()
	direct := CVEs(append([]string{r.ID}, r.Aliases...)...)
	all := CVEs(slices.Concat([]string{r.ID}, r.Aliases, r.Upstream)...)
	for _, cve := range all {
		if f.known[cve] == nil {
			f.known[cve] = &known{}
		}
	}
	for _, cve := range CVEs(r.Related...) { // found by it where a distribution has it nowhere else
		if f.known[cve] == nil {
			f.known[cve] = &known{}
		}
	}
	vectors := r.CVSS
	for _, b := range k.affected {
		if len(vectors) > 0 {
			break
		}
		d := decoder{b: b}
		vectors = d.affected().CVSS
	}
	switch {
	case len(direct) > 0:
		for _, cve := range direct {
			f.rate(cve, r, vectors, true)
		}
	case len(all) == 1:
		f.rate(all[0], r, vectors, false)
	}
}

// rate keeps the better vector: newer CVSS version, then one given to the CVE
// itself, then the record that comes first.
func (f *flaws) rate(cve string, r Record, vectors []CVSS, direct bool) {
	k := f.known[cve]
	if len(vectors) > 0 {
		best := vectors[0]
		better := len(k.CVSS) == 0 || best.Version > k.CVSS[0].Version ||
			(best.Version == k.CVSS[0].Version && direct && !k.direct)
		if better {
			k.CVSS, k.CVSSFrom, k.direct = []CVSS{best}, r.ID, direct
		}
	}
	if r.Rating.Kind == Declared && k.Rating.Word == "" {
		k.Rating, k.RatingFrom = r.Rating, r.ID
	}
}

func (f *flaws) write(w *writer) error {
	for _, cve := range slices.Sorted(maps.Keys(f.known)) {
		flaw := f.known[cve].Flaw
		flaw.KEV = f.feeds.kev[cve]
		if s, ok := f.feeds.epss[cve]; ok {
			flaw.EPSS, flaw.Percentile, flaw.HasEPSS = s.score, s.percentile, true
		}
		if len(flaw.CVSS) == 0 && flaw.Rating.Word == "" && !flaw.KEV && !flaw.HasEPSS {
			continue
		}
		var e encoder
		e.flaw(flaw)
		if err := w.block(flawKey, cve, e.b); err != nil {
			return err
		}
	}
	return nil
}
