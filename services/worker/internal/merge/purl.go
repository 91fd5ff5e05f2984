package merge

import (
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// purl names the package worldwide. A distribution's package has no such name
// while the distribution is not known.
func purl(p inventory.Package, r release) string {
	var namespace string
	name, version := p.Name, p.Version
	qualifiers := map[string]string{}
	switch p.Type {
	case "deb", "apk", "rpm":
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
	case "npm", "golang":
		if at := strings.LastIndexByte(name, '/'); at >= 0 {
			namespace, name = name[:at], name[at+1:]
		}
		if p.Type == "golang" && p.Name != "stdlib" {
			version = "v" + strings.TrimPrefix(version, "v")
		}
	case "maven":
		if group, artifact, ok := strings.Cut(name, ":"); ok {
			namespace, name = group, artifact
		}
	}
	return packageurl.NewPackageURL(p.Type, namespace, name, version, packageurl.QualifiersFromMap(qualifiers), "").ToString()
}
