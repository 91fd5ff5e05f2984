package match

import (
	"cmp"
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// queries are what advisories may call a package.
func queries(canonical string, pkg *inventory.Package) []advisory.Query {
	q := query(canonical, pkg)
	if !namesBoth(advisory.Family(canonical)) || pkg.Source.Name == "" || pkg.Source.Name == pkg.Name {
		return []advisory.Query{q}
	}
	binary, source := q, q
	binary.Name, binary.Version = pkg.Name, usable(pkg.Version)
	source.Name, source.Version = pkg.Source.Name, cmp.Or(usable(sourceVersion(pkg)), binary.Version)
	return []advisory.Query{binary, source}
}

// namesBoth tells of which distributions some advisories name source packages
// and others binary ones, without saying which: Rocky Linux names mostly the
// former, which alone have all binaries in them.
func namesBoth(family string) bool {
	switch family {
	case "Rocky Linux", "Photon OS", "Azure Linux", "Wolfi", "Chainguard", "MinimOS", "CleanStart":
		return true
	default:
		return false
	}
}

// query chooses the name and version that advisories of an ecosystem use:
// source packages for deb and apk and for most rpm distributions, binary
// packages for AlmaLinux, Rocky Linux and Red Hat.
func query(canonical string, pkg *inventory.Package) advisory.Query {
	family := advisory.Family(canonical)
	q := advisory.Query{Ecosystem: canonical, Name: pkg.Name, Version: pkg.Version, Module: pkg.Module}
	switch {
	case pkg.Type == "deb" || pkg.Type == "apk" || (pkg.Type == "rpm" && namesSources(family)):
		if pkg.Source.Name != "" {
			q.Name = pkg.Source.Name
		}
		if pkg.Source.Version != "" {
			q.Version = sourceVersion(pkg)
		}
	case family == "Go":
		if q.Name == "go" {
			q.Name = "stdlib"
		}
		q.Version = goVersion(q.Version)
	case family == "Packagist" && strings.HasPrefix(q.Version, "dev-"):
		q.Version = "" // a branch: it is neither before nor after any release
	}
	q.Name = advisory.NormalName(family, q.Name)
	q.Version = usable(q.Version)
	return q
}

func namesSources(family string) bool {
	switch family {
	case "AlmaLinux", "Rocky Linux", "Red Hat":
		return false
	default:
		return true
	}
}

// sourceVersion adds the epoch that an rpm's source file name lacks.
func sourceVersion(pkg *inventory.Package) string {
	v := pkg.Source.Version
	if pkg.Type != "rpm" || strings.Contains(v, ":") {
		return v
	}
	if epoch, _, found := strings.Cut(pkg.Version, ":"); found {
		return epoch + ":" + v
	}
	return v
}

// usable empties what stands for a version that is not known.
func usable(v string) string {
	v = strings.TrimSpace(v)
	switch strings.ToLower(v) {
	case "(devel)", "devel", "unknown", "(unknown)", "none", "null":
		return ""
	default:
		return v
	}
}

// goVersion writes a module's or toolchain's version as the Go database does:
// v1.2.3 is 1.2.3, go1.21rc3 is 1.21.0-rc.3; what follows a blank (build
// experiments) goes.
func goVersion(v string) string {
	v, _, _ = strings.Cut(strings.TrimSpace(v), " ")
	if rest, found := strings.CutPrefix(v, "go"); found {
		v = rest
	} else {
		v = strings.TrimPrefix(v, "v")
	}
	for _, stage := range []string{"rc", "beta"} {
		i := strings.Index(v, stage)
		if i <= 0 || strings.Trim(v[:i], "0123456789.") != "" || v[i-1] == '.' {
			continue
		}
		base, number := v[:i], v[i+len(stage):]
		if strings.Count(base, ".") == 1 {
			base += ".0"
		}
		return base + "-" + stage + "." + number
	}
	return v
}
