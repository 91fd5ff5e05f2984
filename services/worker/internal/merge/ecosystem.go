package merge

import (
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// distribution is where a distribution's advisories are found in OSV.
type distribution struct {
	kind string // of its packages: deb, apk, rpm
	name string // OSV ecosystem with release; empty: none
}

// of returns the ecosystem of a package.
func (d distribution) of(p inventory.Package) string {
	if osPackage(p.Type) {
		if p.Type != d.kind {
			return ""
		}
		return ubuntuStream(d.name, p.Version)
	}
	return language(p.Type)
}

// languages are OSV's ecosystems by the types of package URLs.
func languages() [14][2]string {
	return [...][2]string{
		{"npm", "npm"},
		{"pypi", "PyPI"},
		{"golang", "Go"},
		{"maven", "Maven"},
		{"gem", "RubyGems"},
		{"cargo", "crates.io"},
		{"nuget", "NuGet"},
		{"composer", "Packagist"},
		{"cran", "CRAN"},
		{"bioconductor", "Bioconductor"},
		{"hex", "Hex"},
		{"pub", "Pub"},
		{"bitnami", "Bitnami"},
		{"vscode-extension", "VSCode"},
	}
}

// language is the ecosystem of a package that is no distribution's; empty: OSV
// has none, as for conda's.
func language(kind string) string {
	for _, pair := range languages() {
		if pair[0] == kind {
			return pair[1]
		}
	}
	return ""
}

// ubuntuStream tells the packages of Ubuntu Pro apart by their versions:
// 1.0.2g-1ubuntu4.20+esm9 is of its extended maintenance, and
// 1.1.1f-1ubuntu2.fips.7 of its certified builds. They have advisories of their
// own, in which alone those versions count as fixed.
func ubuntuStream(name, version string) string {
	release, ok := strings.CutPrefix(name, "Ubuntu:")
	switch {
	case !ok:
		return name
	case strings.Contains(version, "fips"):
		return "Ubuntu:Pro:FIPS-updates:" + release
	case strings.Contains(version, "+esm") || strings.Contains(version, "~esm"):
		return "Ubuntu:Pro:" + release
	default:
		return name
	}
}
