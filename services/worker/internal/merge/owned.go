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
// since the distribution has no advisories for them; so are files that a later
// layer put in the place of the package's.
func markOwned(pkgs []inventory.Package, s *state, layers []inventory.Hashes, distribution string) {
	wanted := map[uint64][]int{}
	own := map[string]bool{}
	installed := map[string]int{} // by which layer
	for i, p := range pkgs {
		if osPackage(p.Type) {
			own[p.Name] = !thirdParty(p, distribution)
			installed[p.Name] = max(installed[p.Name], p.Layer)
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
	for _, path := range slices.Sorted(maps.Keys(s.owners)) {
		all = append(all, s.owners[path]...)
	}
	slices.SortStableFunc(all, func(a, b inventory.Owner) int { return cmp.Compare(a.Package, b.Package) })
	for _, owner := range all {
		if !own[owner.Package] {
			continue
		}
		for _, hash := range owner.Files {
			for _, i := range wanted[hash] {
				if pkgs[i].OwnedBy == "" && !s.overwritten(pkgs[i].Location, layers, installed[owner.Package]) {
					pkgs[i].OwnedBy = owner.Package
				}
			}
		}
	}
}

// overwritten tells whether what a file holds came after the layer, and in the
// place of something. A file that was nowhere before is none: an image may be
// divided into layers in any way.
func (s *state) overwritten(path string, layers []inventory.Hashes, installed int) bool {
	return s.files[path].since > installed && slices.ContainsFunc(layers[:installed+1], func(paths inventory.Hashes) bool {
		return paths.Has(path)
	})
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
func thirdParty(p inventory.Package, distribution string) bool {
	vendor := strings.ToLower(p.Vendor)
	contains := func(part string) bool { return strings.Contains(vendor, part) }
	switch p.Type {
	case "rpm":
		return !slices.ContainsFunc(vendors(distribution), contains) || contains("obs://") // anybody's project
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

// vendors are what a distribution's own rpms name as such, by its id. Packages
// that others build for it are no part of its advisories: Fedora's EPEL,
// Microsoft's for Red Hat.
func vendors(distribution string) []string {
	switch distribution {
	case "rhel":
		return []string{"red hat"}
	case "centos":
		return []string{"centos", "red hat"}
	case "ol":
		return []string{"oracle america"}
	case "amzn":
		return []string{"amazon"}
	case "azurelinux", "mariner":
		return []string{"microsoft"}
	case "photon":
		return []string{"vmware", "broadcom"}
	case "sles", "sled", "sles_sap", "sle_hpc", "suse-microos", "sle-micro", "sle_micro", "sl-micro":
		return []string{"suse"}
	default: // the others are called by their names: rocky, almalinux, fedora, mageia, openeuler
		name, _, _ := strings.Cut(distribution, "-") // opensuse-leap
		return []string{name}
	}
}
