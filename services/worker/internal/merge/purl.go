package merge

import (
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// purl names the package worldwide. A distribution's package has no such name
// while the distribution is not known.
func purl(p inventory.Package, r release) string {
	namespace, name, version := "", p.Name, p.Version
	qualifiers := map[string]string{}
	switch p.Type {
	case "deb", "apk", "rpm", "alpm":
		if namespace = r.id(); namespace == "" {
			return ""
		}
		qualifiers["distro"] = strings.TrimSuffix(r.id()+"-"+r.version(), "-")
		if p.Arch != "" {
			qualifiers["arch"] = p.Arch
		}
		if p.Type == "rpm" {
			if namespace == "rhel" {
				namespace = "redhat"
			}
			if epoch, rest, ok := strings.Cut(version, ":"); ok {
				qualifiers["epoch"], version = epoch, rest
			}
		}
	case "generic":
		if p.Listed != nil {
			qualifiers["checksum"] = p.Listed.Hash
		}
	default:
		namespace, name = spaced(p.Type, name)
		if p.Type == "golang" && p.Name != "stdlib" {
			version = "v" + strings.TrimPrefix(version, "v")
		}
	}
	u := packageurl.NewPackageURL(p.Type, namespace, name, version, packageurl.QualifiersFromMap(qualifiers), "")
	// Types have rules of their own, as lower case for Go and Composer. What
	// breaks them, a name in a hostile image, is written as it is.
	if plain := *u; plain.Normalize() == nil {
		u = &plain
	}
	return u.ToString()
}

// spaced takes the name of a language's package apart where it has a namespace.
func spaced(kind, whole string) (namespace, name string) {
	at := -1
	switch kind {
	case "npm", "golang", "composer", "ebuild":
		at = strings.LastIndexByte(whole, '/')
	case "maven":
		at = strings.IndexByte(whole, ':')
	case "vscode-extension":
		at = strings.IndexByte(whole, '.')
	}
	if at < 0 {
		return "", whole
	}
	return whole[:at], whole[at+1:]
}
