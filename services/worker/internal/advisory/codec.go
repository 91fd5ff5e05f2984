package advisory

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

var errDamaged = errors.New("advisory database is damaged")

// encoder appends values to a block: numbers as varints, strings with their
// length before them.
type encoder struct {
	b    []byte
	last Interval // that has an end
}

func (e *encoder) number(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) texts(list []string) {
	e.number(uint64(len(list)))
	for _, s := range list {
		e.text(s)
	}
}

func (e *encoder) flag(set bool) {
	var n uint64
	if set {
		n = 1
	}
	e.number(n)
}

func (e *encoder) real(f float64) { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(f)) }

func (e *encoder) rating(r Rating) {
	e.text(string(r.Kind))
	if r.Kind != "" {
		e.text(r.Word)
	}
}

func (e *encoder) cvss(list []CVSS) {
	e.number(uint64(len(list)))
	for _, c := range list {
		e.text(c.Version)
		e.real(c.Score)
		e.text(c.Vector)
	}
}

func (e *encoder) record(r Record) {
	e.text(r.ID)
	e.number(uint64(r.Modified.UnixNano()))
	e.texts(r.Aliases)
	e.texts(r.Upstream)
	e.texts(r.Related)
	e.cvss(r.CVSS)
	e.rating(r.Rating)
	e.text(r.Summary)
}

func (e *encoder) affected(a Affected) {
	e.text(a.Ecosystem)
	e.last = Interval{} // of another ecosystem
	e.statement(version.SchemeOf(a.Ecosystem), a)
}

func (e *encoder) statement(scheme version.Scheme, a Affected) {
	e.text(a.ID)
	e.text(a.Module)
	e.rating(a.Rating)
	e.cvss(a.CVSS)
	e.number(uint64(len(a.Intervals)))
	for _, iv := range a.Intervals {
		e.interval(scheme, iv)
	}
	e.texts(a.Versions)
	e.flag(a.Unclear)
}

// lastEnd marks an interval that ends where the last one did: many flaws are
// fixed by one update. An end is written with its key, so that it is compared
// without being parsed.
const lastEnd = 1 << 3

func (e *encoder) interval(scheme version.Scheme, iv Interval) {
	flags := uint64(iv.End) << 1
	if iv.Semver {
		flags |= 1
	}
	same := iv.To != "" && iv.To == e.last.To && iv.Semver == e.last.Semver
	if same {
		flags |= lastEnd
	}
	e.number(flags)
	e.text(iv.From)
	if iv.End != Never && !same {
		e.text(iv.To)
		e.text(version.Key(iv.scheme(scheme), iv.To))
		e.last = iv
	}
}

func (e *encoder) flaw(f Flaw) {
	e.cvss(f.CVSS)
	e.text(f.CVSSFrom)
	e.rating(f.Rating)
	e.text(f.RatingFrom)
	var flags uint64
	if f.KEV {
		flags |= 1
	}
	if f.HasEPSS {
		flags |= 2
	}
	e.number(flags)
	e.real(f.EPSS)
	e.real(f.Percentile)
}

// decoder reads what encoder wrote. The first thing that does not fit makes it
// bad, and everything after that is zero. Texts are parts of what is read: who
// keeps one keeps all of it.
type decoder struct {
	b    string
	bad  bool
	last run // that has an end
}

func (d *decoder) fail() { d.b, d.bad = "", true }

// number reads what binary.AppendUvarint wrote.
func (d *decoder) number() (n uint64) {
	for i := range min(len(d.b), binary.MaxVarintLen64) {
		c := d.b[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.b = d.b[i+1:]
			return n
		}
	}
	d.fail()
	return 0
}

// count reads the length of what follows. Every item has at least one byte,
// so a larger one is wrong and nothing is allocated for it.
func (d *decoder) count() int {
	n := d.number()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n) //nolint:gosec // not above the length of a slice
}

func (d *decoder) text() string {
	n := d.count()
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) texts() []string {
	n := d.count()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.text()
	}
	return list
}

func (d *decoder) flag() bool { return d.number() == 1 }

func (d *decoder) real() float64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	f := math.Float64frombits(binary.LittleEndian.Uint64([]byte(d.b[:8])))
	d.b = d.b[8:]
	return f
}

func (d *decoder) rating() Rating {
	kind := RatingKind(d.text())
	if kind == "" {
		return Rating{}
	}
	return Rating{Kind: kind, Word: d.text()}
}

func (d *decoder) cvss() []CVSS {
	n := d.count()
	if n == 0 {
		return nil
	}
	list := make([]CVSS, 0, min(n, 8))
	for range n {
		list = append(list, CVSS{Version: d.text(), Score: d.real(), Vector: d.text()})
		if d.bad {
			return nil
		}
	}
	return list
}

func (d *decoder) record() Record {
	return Record{
		ID:       d.text(),
		Modified: time.Unix(0, int64(d.number())).UTC(), //nolint:gosec // see the encoder
		Aliases:  d.texts(),
		Upstream: d.texts(),
		Related:  d.texts(),
		CVSS:     d.cvss(),
		Rating:   d.rating(),
		Summary:  d.text(),
	}
}

func (d *decoder) affected() Affected {
	ecosystem := d.text()
	d.last = run{}
	return d.statement(version.SchemeOf(ecosystem)).affected(ecosystem)
}

// statement reads one; its ecosystem stands elsewhere.
func (d *decoder) statement(scheme version.Scheme) Statement {
	s := Statement{
		Affected: Affected{ID: d.text(), Module: d.text(), Rating: d.rating(), CVSS: d.cvss()},
		Ranges:   Ranges{scheme: scheme},
	}
	n := d.count()
	s.runs = make([]run, 0, min(n, 64))
	for range n {
		s.runs = append(s.runs, d.run(scheme))
		if d.bad {
			return Statement{}
		}
	}
	s.Versions = d.texts()
	s.Unclear = d.flag()
	return s
}

func (d *decoder) run(scheme version.Scheme) run {
	flags := d.number()
	r := run{Interval: Interval{Semver: flags&1 != 0, End: End(flags >> 1 & 3), From: d.text()}}
	switch {
	case r.End == Never:
	case flags&lastEnd != 0:
		r.To, r.to = d.last.To, d.last.to
	default:
		r.To = d.text()
		r.to = version.Keyed(r.scheme(scheme), r.To, d.text())
		d.last = r
	}
	return r
}

func (d *decoder) flaw() Flaw {
	f := Flaw{CVSS: d.cvss(), CVSSFrom: d.text(), Rating: d.rating(), RatingFrom: d.text()}
	flags := d.number()
	f.KEV, f.HasEPSS = flags&1 != 0, flags&2 != 0
	f.EPSS, f.Percentile = d.real(), d.real()
	return f
}
