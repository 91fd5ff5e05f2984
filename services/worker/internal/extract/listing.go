package extract

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// readConda reads conda-meta/PACKAGE.json. Conda's packages are of any kind,
// not only Python's, and have versions of their own: the library, which takes
// them for PyPI's, would compare openssl with a package of that name there.
func readConda(location string, content []byte) (found Found) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(content, &fields); err != nil {
		found.note(verdict.NoteFileUnreadable, "%s: not a record of conda's: %v", location, err)
		return found
	}
	name, version := text(fields["name"]), text(fields["version"])
	if name == "" || version == "" {
		found.note(verdict.NoteUnknownPackageVersion, "%s: package %q has no version", location, name)
		return found
	}
	found.Packages = []inventory.Package{{
		Type: "conda", Name: name, Version: version, Licenses: licensesOf(fields["license"]),
		Evidence: inventory.Record, Location: location,
	}}
	return found
}

// bitnamiRevision is the number of a build at the end of a version: advisories
// are about the application's own version.
var bitnamiRevision = regexp.MustCompile(`-[0-9]+$`)

// readBitnami reads the SPDX document that stands beside each application in
// an image of Bitnami: what is built there is in no package database.
func readBitnami(location string, content []byte) (found Found) {
	var document struct {
		Packages []struct {
			License string `json:"licenseDeclared"`
			Refs    []struct {
				Locator string `json:"referenceLocator"`
			} `json:"externalRefs"`
		}
	}
	if err := json.Unmarshal(content, &document); err != nil {
		found.note(verdict.NoteFileUnreadable, "%s: not an SPDX document: %v", location, err)
		return found
	}
	for _, p := range document.Packages {
		for _, ref := range p.Refs {
			if !strings.HasPrefix(ref.Locator, "pkg:bitnami/") {
				continue
			}
			purl, err := packageurl.FromString(ref.Locator)
			if err != nil || purl.Version == "" {
				found.note(verdict.NoteUnknownPackageVersion, "%s: package %q has no version", location, ref.Locator)
				continue
			}
			pkg := inventory.Package{
				Type: "bitnami", Name: purl.Name, Version: bitnamiRevision.ReplaceAllString(purl.Version, ""),
				Evidence: inventory.Record, Location: location,
			}
			if p.License != "" && p.License != "NOASSERTION" {
				pkg.Licenses = []string{p.License}
			}
			found.Packages = append(found.Packages, pkg)
		}
	}
	found.Packages = unique(found.Packages)
	return found
}
