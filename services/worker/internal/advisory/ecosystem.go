package advisory

import "strings"

// Family is an ecosystem without its release: "Debian" of "Debian:12". It is
// also the name of its folder in an OSV export.
func Family(ecosystem string) string {
	family, _, _ := strings.Cut(ecosystem, ":")
	return family
}

// Canonical writes an ecosystem in the one form that is compared as a whole.
// Releases that name more than advisories tell apart are cut: "Alpine:v3.20.3"
// and "Alpine:3.20" are "Alpine:v3.20", "AlmaLinux:9.4" is "AlmaLinux:9", and
// Ubuntu's ":LTS", which not every source writes, goes, while its Pro streams
// stay what they are.
func Canonical(ecosystem string) string {
	family, release, found := strings.Cut(ecosystem, ":")
	if !found || release == "" {
		return family
	}
	switch family {
	case "Ubuntu":
		if !strings.HasPrefix(release, "Pro") {
			release = strings.TrimSuffix(release, ":LTS")
		}
	case "Alpine":
		release = alpineBranch(release)
	case "AlmaLinux", "Rocky Linux":
		release, _, _ = strings.Cut(release, ".")
	case "Azure Linux":
		release = strings.TrimSuffix(release, ".0")
	}
	return family + ":" + release
}

func alpineBranch(release string) string {
	release = strings.TrimPrefix(release, "v")
	major, rest, found := strings.Cut(release, ".")
	if !found {
		return "v" + major
	}
	minor, _, _ := strings.Cut(rest, ".")
	return "v" + major + "." + minor
}

// SameRelease tells whether an advisory for one canonical ecosystem is about a
// package of another: they must be equal. Two distributions have advisories
// under more names than an installation can tell: a Red Hat package is known by
// its product alone, so the repository an advisory adds ("::appstream") is
// ignored where the package has none, and so is a minor release; for SUSE see
// suseRelease. Of a package of Maven or Packagist nobody knows the repository
// that it was taken from. Ubuntu's advisories are of Ubuntu Pro where only its
// subscribers get the fix, of a release that is no longer supported otherwise
// even where nobody does: they are about the archive's packages no less.
func SameRelease(pkg, entry string) bool {
	if pkg == entry {
		return true
	}
	switch Family(entry) {
	case "Red Hat":
		product, _, _ := strings.Cut(entry, "::")
		return product == pkg || enterpriseLinux(product) == pkg
	case "Maven", "Packagist":
		return pkg == Family(entry)
	case "Ubuntu":
		release, ok := strings.CutPrefix(pkg, "Ubuntu:")
		return ok && strings.TrimSuffix(entry, ":LTS") == "Ubuntu:Pro:"+release
	case "SUSE":
		of, ok := suseRelease(pkg)
		about, known := suseRelease(entry)
		return ok && known && of.includes(about)
	default:
		return false
	}
}

// enterpriseLinux cuts the minor release off "Red Hat:enterprise_linux:10.0":
// since 10 the main stream's advisories name the one they came out with, and
// its fixes are in every later one. The streams that stay with a minor release
// have products of their own.
func enterpriseLinux(product string) string {
	const prefix = "Red Hat:enterprise_linux:"
	if release, ok := strings.CutPrefix(product, prefix); ok {
		major, _, _ := strings.Cut(release, ".")
		return prefix + major
	}
	return product
}

// NormalName gives the form of a package name that is looked up.
func NormalName(family, name string) string {
	switch family {
	case "PyPI":
		return normalPyPI(name)
	case "NuGet", "Packagist", "GitHub Actions", "VSCode":
		return strings.ToLower(name)
	default:
		return name
	}
}

// normalPyPI is PEP 503: lower case, runs of - _ . become one -.
func normalPyPI(name string) string {
	plain := true
	for i := range len(name) {
		if c := name[i]; c == '_' || c == '.' || c == '-' || (c >= 'A' && c <= 'Z') {
			plain = false
			break
		}
	}
	if plain {
		return name
	}
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return c == '-' || c == '_' || c == '.'
	}), "-")
}
