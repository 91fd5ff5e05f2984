package match

import (
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// Keys are the names that an image's packages are looked up by. Two databases
// that cover the same ecosystems and say the same about these names give the
// same findings.
func Keys(img inventory.Image) advisory.Keys {
	keys := make([]uint32, 0, len(img.Packages))
	for i := range img.Packages {
		pkg := &img.Packages[i]
		if pkg.Ecosystem == "" {
			continue
		}
		canonical := advisory.Canonical(pkg.Ecosystem)
		for _, q := range queries(canonical, pkg) {
			keys = append(keys, advisory.Key(advisory.Family(canonical), q.Name))
		}
	}
	return advisory.NewKeys(keys)
}
