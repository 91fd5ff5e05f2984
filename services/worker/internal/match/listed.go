package match

import (
	"cmp"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// listedSource is where the severity of a listed file is from.
const listedSource = "fingerprints"

// listedFiles gives a finding for every file that the user's list of fingerprints
// rates. It needs no database, and it does not matter whose file it is.
func listedFiles(pkgs []inventory.Package) []stamped {
	var found []stamped
	for i := range pkgs {
		pkg := &pkgs[i]
		if pkg.Listed == nil {
			continue
		}
		_, digits, _ := strings.Cut(pkg.Listed.Hash, ":")
		id := "FINGERPRINT-" + digits[:min(16, len(digits))]
		found = append(found, stamped{
			finding: &verdict.Finding{
				ID: id, Aliases: []string{}, Advisories: []string{id}, Severity: pkg.Listed.Severity, SeveritySource: listedSource,
				Summary: cmp.Or(pkg.Listed.Comment, "the file is on the list of fingerprints"),
			},
			pkg: pkg, rank: rank(pkg.Listed.Severity),
		})
	}
	return found
}
