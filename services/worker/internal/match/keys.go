package match

import (
	"iter"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// Keys are what an image's packages are looked up by. Two databases that cover
// the same ecosystems and say the same about these names give the same
// findings.
func Keys(img inventory.Image) advisory.Lookups {
	list := make([]advisory.Lookup, 0, len(img.Packages))
	for q := range Queries(img) {
		list = append(list, advisory.LookupOf(q))
	}
	return advisory.NewLookups(list)
}

// Queries are the questions that an image's packages ask a database.
func Queries(img inventory.Image) iter.Seq[advisory.Query] {
	return func(yield func(advisory.Query) bool) {
		for i := range img.Packages {
			pkg := &img.Packages[i]
			if pkg.Ecosystem == "" {
				continue
			}
			for _, q := range queries(advisory.Canonical(pkg.Ecosystem), pkg) {
				if !yield(q) {
					return
				}
			}
		}
	}
}
