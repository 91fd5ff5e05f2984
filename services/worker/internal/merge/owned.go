package merge

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// markOwned sets OwnedBy of the language packages whose file belongs to a
// package of the distribution: the distribution's advisories tell about them,
// and its version is not upstream's. Packages of third parties are left out,
// since the distribution has no advisories for them.
func markOwned(pkgs []inventory.Package, owners map[string][]inventory.Owner) {
	wanted := map[uint64][]int{}
	own := map[string]bool{}
	for i, p := range pkgs {
		if osPackage(p.Type) {
			own[p.Name] = !thirdParty(p)
			continue
		}
		for _, path := range spellings(p.Location) {
			hash := inventory.Hash(path)
			wanted[hash] = append(wanted[hash], i)
		}
	}
	if len(wanted) == 0 {
		return
	}
	var all []inventory.Owner
	for _, path := range slices.Sorted(maps.Keys(owners)) {
		all = append(all, owners[path]...)
	}
	slices.SortStableFunc(all, func(a, b inventory.Owner) int { return cmp.Compare(a.Package, b.Package) })
	for _, owner := range all {
		if !own[owner.Package] {
			continue
		}
		for _, hash := range owner.Files {
			for _, i := range wanted[hash] {
				if pkgs[i].OwnedBy == "" {
					pkgs[i].OwnedBy = owner.Package
				}
			}
		}
	}
}

// spellings are the paths a file list may have for a location: in distributions
// that merged /bin, /lib and /sbin into /usr lists still name the old place.
func spellings(location string) []string {
	if short, ok := strings.CutPrefix(location, "usr/"); ok {
		for _, dir := range []string{"bin/", "sbin/", "lib/", "lib64/"} {
			if strings.HasPrefix(short, dir) {
				return []string{location, short}
			}
		}
	}
	return []string{location}
}

// thirdParty tells whether an OS package comes from its maker's own repository
// instead of the distribution. rpm names the vendor; in deb only the
// maintainer hints at it, so well-known publishers are listed.
func thirdParty(p inventory.Package) bool {
	vendor := strings.ToLower(p.Vendor)
	contains := func(part string) bool { return strings.Contains(vendor, part) }
	switch p.Type {
	case "rpm":
		return !slices.ContainsFunc([]string{
			"red hat", "rocky", "almalinux", "centos", "fedora", "suse", "oracle america", "amazon", "microsoft", "mageia", "openeuler",
		}, contains)
	case "deb":
		if contains("debian.org") || contains("ubuntu") || contains("canonical") {
			return false
		}
		return slices.ContainsFunc([]string{
			"nodesource", "hashicorp", "github", "docker", "google", "microsoft", "gitlab", "elastic", "mongodb", "oracle",
			"grafana", "influxdata", "datadog", "kubernetes", "confluent", "jfrog", "sonatype", "jenkins", "adoptium", "azul",
		}, contains)
	default:
		return false
	}
}
