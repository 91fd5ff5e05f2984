package match

import (
	"cmp"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// facet is a hit as far as it is about one flaw. A record that is the flaw, or
// an alias of it, has one facet; a distribution's advisory that lists several
// CVEs has one for each, so that images can be found by CVE.
type facet struct {
	hit      *hit
	identity []string // ids of the flaw: facets that share one are one flaw
	aliases  []string // further ids to show
	precise  bool     // the record is about this flaw alone
}

// facets splits a hit. CVE ids are taken from the record's id, aliases and
// upstream; for a distribution's record that has none there, from related:
// AlmaLinux, Rocky Linux and older others write them nowhere else.
func facets(h *hit) []facet {
	r := h.record
	own := advisory.CVEs(append([]string{r.ID}, r.Aliases...)...)
	flaws := advisory.CVEs(slices.Concat([]string{r.ID}, r.Aliases, r.Upstream)...)
	if len(flaws) == 0 && h.distro {
		flaws = advisory.CVEs(r.Related...)
	}
	if len(flaws) <= 1 || (!h.distro && len(own) > 0) {
		identity := append([]string{r.ID}, r.Aliases...)
		if len(flaws) == 1 {
			identity = append(identity, flaws[0])
		} else {
			identity = append(identity, own...)
		}
		return []facet{{hit: h, identity: identity, aliases: r.Upstream, precise: true}}
	}
	out := make([]facet, 0, len(flaws))
	for _, cve := range flaws {
		f := facet{hit: h, identity: []string{cve}}
		for _, id := range r.Upstream {
			if wrapped, ok := advisory.CVE(id); ok && wrapped == cve {
				f.aliases = append(f.aliases, id)
			}
		}
		out = append(out, f)
	}
	return out
}

// groups joins the facets that share an id, directly or through others.
func groups(all []facet) [][]facet {
	if len(all) == 1 {
		return [][]facet{all}
	}
	parent := make([]int, len(all))
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	first := make(map[string]int, 2*len(all))
	for i, f := range all {
		parent[i] = i
		for _, id := range f.identity {
			if j, ok := first[id]; ok {
				parent[root(i)] = root(j)
			} else {
				first[id] = i
			}
		}
	}
	place := make([]int, len(all)) // in out, from 1, by root
	out := make([][]facet, 0, len(all))
	for i, f := range all {
		r := root(i)
		if place[r] == 0 {
			out = append(out, nil)
			place[r] = len(out)
		}
		at := place[r] - 1
		out[at] = append(out[at], f)
	}
	return out
}

// compareCVE orders by year and number: CVE-2024-900 before CVE-2024-10000.
func compareCVE(a, b string) int {
	yearA, numberA, _ := strings.Cut(strings.TrimPrefix(a, "CVE-"), "-")
	yearB, numberB, _ := strings.Cut(strings.TrimPrefix(b, "CVE-"), "-")
	return cmp.Or(strings.Compare(yearA, yearB), cmp.Compare(len(numberA), len(numberB)), strings.Compare(numberA, numberB))
}
