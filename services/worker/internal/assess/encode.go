package assess

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// encode is json.Marshal of a report, byte for byte, in a fraction of its time:
// nearly all of a report is its packages, and a new advisory database has the
// reports of very many images made again.
func encode(r verdict.Report) ([]byte, error) {
	packages := r.Packages
	if len(packages) == 0 {
		return marshal(r)
	}
	r.Packages = nil
	frame, err := marshal(r)
	if err != nil {
		return nil, err
	}
	// Quotes inside a string are escaped: this is a name, and no other part of a
	// report has one like it.
	const name, none = `"packages":`, "null"
	head, tail, found := bytes.Cut(frame, []byte(name+none))
	if !found {
		return nil, fmt.Errorf("encode report: no place for its packages in %.100s", frame)
	}
	const usual = 400 // bytes of a package
	out := make([]byte, 0, len(frame)+usual*len(packages))
	out = append(append(out, head...), name...)
	w := writer{layers: map[verdict.LayerRef][]byte{}}
	before := byte('[')
	for i := range packages {
		out = append(out, before)
		before = ','
		if out, err = w.pkg(out, &packages[i]); err != nil {
			return nil, err
		}
	}
	return append(append(out, ']'), tail...), nil
}

func marshal(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return raw, nil
}

// writer remembers the layers, which many packages share.
type writer struct{ layers map[verdict.LayerRef][]byte }

// pkg appends a package: its fields in the order in which it has them.
func (w writer) pkg(out []byte, p *verdict.Package) ([]byte, error) {
	layer, known := w.layers[p.Layer]
	if !known {
		var err error
		if layer, err = marshal(p.Layer); err != nil {
			return nil, err
		}
		w.layers[p.Layer] = layer
	}
	for _, field := range [...]struct{ before, value string }{
		{`{"name":`, p.Name},
		{`,"version":`, p.Version},
		{`,"ecosystem":`, p.Ecosystem},
		{`,"purl":`, p.PURL},
		{`,"source":{"name":`, p.Source.Name},
		{`,"version":`, p.Source.Version},
		{`},"evidence":`, p.Evidence},
		{`,"location":`, p.Location},
	} {
		out = quote(append(out, field.before...), field.value)
	}
	out = append(append(out, `,"layer":`...), layer...)
	return append(out, '}'), nil
}

// quote appends a string as json.Marshal writes it: it escapes what HTML would
// not bear, too.
func quote(out []byte, s string) []byte {
	begin := len(out)
	out = append(out, '"')
	from := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '&' || c == '<' || c == '>':
			out = append(append(out, s[from:i]...), `\u00`...)
			out = strconv.AppendUint(out, uint64(c), 16)
			from = i + 1
		case c < ' ' || c == '"' || c == '\\' || c > '~':
			return append(out[:begin], slowly(s)...)
		}
	}
	return append(append(out, s[from:]...), '"')
}

// slowly is for strings that have more than printable ASCII in them.
func slowly(s string) []byte {
	raw, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`) // no string is refused
	}
	return raw
}
