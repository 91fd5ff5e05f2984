package advisory

import "strings"

// suse is a release of SUSE Linux Enterprise: "15 SP5".
type suse struct {
	release string // 12, 15, 16.0
	pack    string // SP5; empty: the first, or none is named
	addon   bool   // a module or extension, which may be for all packs of a release
}

// suseRelease takes the release out of the name of a product of SUSE Linux
// Enterprise.
//
// An installation's packages come from many products that share each package's
// build: the server, its variants, its modules and extensions, and long-term
// support for all of them ("Linux Enterprise Server 12 SP1-LTSS", "Linux
// Enterprise Module for Basesystem 15 SP5"). An advisory lists the products
// that were served at its time, and nothing in an image says which of them it
// may use. So the release and its pack are what counts. Micro has releases of
// its own.
func suseRelease(ecosystem string) (r suse, ok bool) {
	name, _ := strings.CutPrefix(ecosystem, "SUSE:")
	product, enterprise := strings.CutPrefix(name, "Linux Enterprise ")
	if !enterprise && !strings.HasPrefix(name, "Package Hub ") || strings.HasPrefix(product, "Micro ") {
		return suse{}, false
	}
	words := strings.Fields(name)
	at := len(words) - 1 // the last number: there is a "Module for Python 3 15 SP5"
	for at >= 0 && (words[at][0] < '0' || words[at][0] > '9') {
		at--
	}
	if at < 0 {
		return suse{}, false
	}
	r.release, _, _ = strings.Cut(words[at], "-") // 12-LTSS
	if at+1 < len(words) && strings.HasPrefix(words[at+1], "SP") {
		r.pack, _, _ = strings.Cut(words[at+1], "-") // SP1-LTSS
	}
	r.addon = !enterprise || strings.HasPrefix(product, "Module ")
	return r, true
}

// includes tells whether a product is one of those an installation's packages
// come from. Those of release 12 have modules that are for every pack.
func (r suse) includes(product suse) bool {
	return r.release == product.release && (r.pack == product.pack || product.addon && product.pack == "")
}
