package match

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory/version"
)

// fold makes one finding of all that is said about one flaw.
//
// Its id is the CVE; the oldest where one flaw was given several; the first
// advisory's id where it was given none. An advisory about several flaws is
// named in the finding of each.
func fold(db *advisory.DB, hits map[string]*hit, scheme version.Scheme) ([]verdict.Finding, error) {
	var all []facet
	for _, id := range slices.Sorted(maps.Keys(hits)) {
		all = append(all, facets(hits[id])...)
	}
	out := make([]verdict.Finding, 0, len(all))
	for _, group := range groups(all) {
		f, err := finding(db, group, scheme)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func finding(db *advisory.DB, group []facet, scheme version.Scheme) (verdict.Finding, error) {
	var ids, advisories, identity []string
	for _, f := range group {
		identity = append(identity, f.identity...)
		ids = append(append(ids, f.identity...), f.aliases...)
		advisories = append(advisories, f.hit.record.ID)
	}
	advisories = sorted(advisories)
	cves := advisory.CVEs(identity...)
	slices.SortFunc(cves, compareCVE)
	f := verdict.Finding{ID: advisories[0], Advisories: advisories, FixedVersion: fix(group, scheme)}
	if len(cves) > 0 {
		f.ID = cves[0]
	}
	f.Aliases = slices.DeleteFunc(sorted(append(ids, cves...)), func(id string) bool { return id == f.ID })
	for _, facet := range group {
		f.Summary = cmp.Or(f.Summary, facet.hit.record.Summary)
	}
	flaws, err := flawsOf(db, cves)
	if err != nil {
		return verdict.Finding{}, err
	}
	for _, flaw := range flaws {
		f.KEV = f.KEV || flaw.KEV
		if flaw.HasEPSS && f.EPSS == nil {
			f.EPSS = &verdict.EPSS{Score: flaw.EPSS, Percentile: flaw.Percentile, Date: db.EPSSDate()}
		}
	}
	return f, rate(db, &f, group, flaws)
}

func flawsOf(db *advisory.DB, cves []string) ([]advisory.Flaw, error) {
	var out []advisory.Flaw
	for _, cve := range cves {
		flaw, found, err := db.Flaw(cve)
		if err != nil {
			return nil, err
		}
		if found {
			out = append(out, flaw)
		}
	}
	return out, nil
}

// sorted gives each id once; never nil, as reports show an empty list as one.
func sorted(ids []string) []string {
	out := append(make([]string, 0, len(ids)), ids...)
	slices.Sort(out)
	return slices.Compact(out)
}

// fix is the smallest version that ends a range the installed one is in and
// that no statement of the group still calls affected; where every one is
// called affected by somebody, the smallest.
func fix(group []facet, scheme version.Scheme) string {
	var ends []string
	for _, f := range group {
		for _, iv := range f.hit.matching {
			if iv.End == advisory.FixedAt && !slices.Contains(ends, iv.To) {
				ends = append(ends, strings.Clone(iv.To)) // not with all that is said about the package
			}
		}
	}
	switch len(ends) {
	case 0:
		return ""
	case 1:
		return ends[0]
	}
	candidates := make([]advisory.Installed, len(ends))
	for i, text := range ends {
		candidates[i] = advisory.NewInstalled(scheme, text)
	}
	slices.SortFunc(candidates, func(a, b advisory.Installed) int {
		return cmp.Or(a.Compare(b), cmp.Compare(a.Text, b.Text))
	})
	for _, c := range candidates {
		if !stillAffected(group, c) {
			return c.Text
		}
	}
	return candidates[0].Text
}

func stillAffected(group []facet, v advisory.Installed) bool {
	for _, f := range group {
		for _, r := range f.hit.ranges {
			if _, in := r.Holding(v); in {
				return true
			}
		}
	}
	return false
}
