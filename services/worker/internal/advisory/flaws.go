package advisory

import "slices"

// flaws joins what records and feeds say about CVEs. What each record says is
// sorted by CVE first; of one CVE it comes in the order of the records.
type flaws struct {
	feeds  feeds
	sorter *sorter
}

type known struct {
	Flaw
	direct bool // the vector is from a record that is this CVE, not one built on it
}

// The kinds of what a record says about a CVE.
const (
	mentioned = 0 // found by it, no more
	derived   = 1 // built on it: its severity may be that of the CVE
	directly  = 2 // is it
)

// add takes a record's severity for its CVE. A record about several flaws says
// nothing about a single one of them: its vector is that of the worst.
func (f *flaws) add(k kept) error {
	d := decoder{b: k.record}
	r := d.record()
	direct := CVEs(append([]string{r.ID}, r.Aliases...)...)
	all := CVEs(slices.Concat([]string{r.ID}, r.Aliases, r.Upstream)...)
	// A distribution may have its CVEs nowhere but in related.
	for _, cve := range CVEs(slices.Concat([]string{r.ID}, r.Aliases, r.Upstream, r.Related)...) {
		kind := uint64(mentioned)
		switch {
		case slices.Contains(direct, cve):
			kind = directly
		case len(direct) == 0 && len(all) == 1 && all[0] == cve:
			kind = derived
		}
		if err := f.say(cve, kind, r, k); err != nil {
			return err
		}
	}
	return nil
}

// say sorts in what a record says about a CVE.
func (f *flaws) say(cve string, kind uint64, r Record, k kept) error {
	var e encoder
	e.number(kind)
	if kind != mentioned {
		vectors := r.CVSS
		for _, a := range k.affected {
			if len(vectors) > 0 {
				break
			}
			d := decoder{b: a.value}
			vectors = d.affected().CVSS
		}
		e.cvss(vectors[:min(len(vectors), 1)])
		e.rating(r.Rating)
		e.text(r.ID)
	}
	return f.sorter.add([]byte(cve), e.b)
}

// hear adds what a record said.
func (k *known) hear(said []byte) error {
	d := decoder{b: string(said)}
	if kind := d.number(); kind != mentioned {
		vectors, rating, id := d.cvss(), d.rating(), d.text()
		k.rate(id, vectors, rating, kind == directly)
	}
	if d.bad {
		return errDamaged
	}
	return nil
}

// rate keeps the better vector: newer CVSS version, then one given to the CVE
// itself, then the record that comes first.
func (k *known) rate(id string, vectors []CVSS, rating Rating, direct bool) {
	if len(vectors) > 0 {
		best := vectors[0]
		better := len(k.CVSS) == 0 || best.Version > k.CVSS[0].Version ||
			(best.Version == k.CVSS[0].Version && direct && !k.direct)
		if better {
			k.CVSS, k.CVSSFrom, k.direct = []CVSS{best}, id, direct
		}
	}
	if rating.Kind == Declared && k.Rating.Word == "" {
		k.Rating, k.RatingFrom = rating, id
	}
}

// write writes what is known of each CVE.
func (f *flaws) write(w *writer) error {
	var cve string
	var k known
	flush := func() error {
		if cve == "" {
			return nil
		}
		return f.writeFlaw(w, cve, k.Flaw)
	}
	err := f.sorter.each(func(key, value []byte) error {
		if string(key) != cve {
			if err := flush(); err != nil {
				return err
			}
			cve, k = string(key), known{}
		}
		return k.hear(value)
	})
	if err == nil {
		err = flush()
	}
	return err
}

func (f *flaws) writeFlaw(w *writer, cve string, flaw Flaw) error {
	flaw.KEV = f.feeds.kev[cve]
	if s, ok := f.feeds.epss[cve]; ok {
		flaw.EPSS, flaw.Percentile, flaw.HasEPSS = s.score, s.percentile, true
	}
	if len(flaw.CVSS) == 0 && flaw.Rating.Word == "" && !flaw.KEV && !flaw.HasEPSS {
		return nil
	}
	var e encoder
	e.flaw(flaw)
	return w.block(flawKey, cve, e.b)
}
