package feed

import (
	"io"
	"slices"
)

// ParseList reads a list of modifications, for fuzzing.
func ParseList(r io.Reader) (ids []string, ordered bool) {
	list, err := parseList(r)
	if err != nil {
		return nil, true
	}
	for _, m := range list {
		ids = append(ids, m.id)
	}
	return ids, slices.IsSortedFunc(list, func(a, b modified) int { return b.at.Compare(a.at) })
}
