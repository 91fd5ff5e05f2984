package advisory

import (
	"bytes"
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

// ParseRecord is the record parser, for fuzzing.
func ParseRecord(data []byte) (Record, []Affected, error) {
	p, err := parseRecord(data)
	var list []Affected
	for _, a := range p.affected {
		list = append(list, a.Affected)
	}
	return p.record, list, err
}

// Recode writes a record and its statements and reads them again.
func Recode(r Record, list []Affected) (Record, []Affected, bool) {
	var e encoder
	e.record(r)
	for _, a := range list {
		e.affected(a)
	}
	d := decoder{b: string(e.b)}
	r = d.record()
	for i := range list {
		list[i] = d.affected()
	}
	return r, list, !d.bad && len(d.b) == 0
}

// Decode reads arbitrary bytes as each kind of block.
func Decode(data []byte) {
	for _, read := range []func(*decoder){
		func(d *decoder) { d.record() }, func(d *decoder) { d.affected() }, readStatements, func(d *decoder) { d.flaw() },
	} {
		read(&decoder{b: string(data)})
	}
}

func readStatements(d *decoder) {
	for _, s := range d.statements() {
		for _, err := range s.About(NewInstalled(version.SchemeOf(s.Ecosystem), "1.0")) {
			if err != nil {
				return
			}
		}
	}
}

// ParseEPSS is the parser of scores, for fuzzing: score and percentile by CVE.
func ParseEPSS(text string) map[string][2]float64 {
	scores, _, _ := parseEPSS(strings.NewReader(text))
	all := map[string][2]float64{}
	for cve, s := range scores {
		all[cve] = [2]float64{s.score, s.percentile}
	}
	return all
}

// ParseKEV is the parser of the catalogue, for fuzzing.
func ParseKEV(data []byte) (map[string]bool, string, error) { return parseKEV(data) }

// OpenBytes opens a file's content.
func OpenBytes(data []byte) (*DB, error) {
	return load(nopCloser{bytes.NewReader(data)}, int64(len(data)))
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// MaxSummary is the longest summary kept.
const MaxSummary = maxSummary

// Intervals evaluates events given as kind and text.
func Intervals(scheme version.Scheme, events ...[2]string) ([]Interval, error) {
	var list []osvEvent
	for _, e := range events {
		switch e[0] {
		case "introduced":
			list = append(list, osvEvent{Introduced: e[1]})
		case "fixed":
			list = append(list, osvEvent{Fixed: e[1]})
		case "last_affected":
			list = append(list, osvEvent{LastAffected: e[1]})
		default:
			list = append(list, osvEvent{Limit: e[1]})
		}
	}
	return intervals(scheme, false, list)
}

// Sorted sends pairs, given as key and value in turn, through a sorter that
// holds few bytes.
func Sorted(dir string, most int, pairs ...string) (sorted []string, err error) {
	s := newSorter(dir, most)
	for i := 0; i < len(pairs); i += 2 {
		if err := s.add([]byte(pairs[i]), []byte(pairs[i+1])); err != nil {
			return nil, err
		}
	}
	err = s.each(func(key, value []byte) error {
		sorted = append(sorted, string(key), string(value))
		return nil
	})
	return sorted, err
}

// EntrySize is how many bytes of the index a key takes.
const EntrySize = entrySize

// Position looks a hash up in an index.
func Position(index []byte, hash uint64) int { return (&DB{index: index}).position(hash) }
