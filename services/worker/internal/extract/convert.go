package extract

import (
	"path"
	"regexp"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/depsjson"
	dpkgmeta "github.com/google/osv-scalibr/extractor/filesystem/os/dpkg/metadata"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// convert adds one of the library's packages to what was found, in our terms.
func convert(kind Kind, location string, from *extractor.Package, found *Found) {
	p := inventory.Package{Name: from.Name, Version: from.Version, Evidence: inventory.Record, Location: location}
	for _, license := range from.Licenses {
		if license != "" {
			p.Licenses = append(p.Licenses, license)
		}
	}
	if !fill(&p, kind, from, found) {
		return
	}
	if p.Name == "" || p.Version == "" || strings.EqualFold(p.Version, "unknown") || strings.Contains(p.Version, "${") {
		found.note(verdict.NoteUnknownPackageVersion, "%s: package %q has no version", location, p.Name)
		return
	}
	found.Packages = append(found.Packages, p)
}

// fill adds what depends on the kind; false: it is no package.
func fill(p *inventory.Package, kind Kind, from *extractor.Package, found *Found) bool {
	switch kind {
	case Dpkg:
		p.Type = "deb"
		if m, ok := from.Metadata.(*dpkgmeta.Metadata); ok {
			if !unpacked(p.Location, m.Status) {
				return false
			}
			p.Arch, p.Vendor, p.Source = m.Architecture, m.Maintainer, source(*p, m.SourceName, m.SourceVersion)
		}
	case Python:
		p.Type, p.Name = "pypi", normalisePython(p.Name)
	case Java:
		p.Type, p.Evidence, p.Name = "maven", inventory.File, mavenName(from)
	case Gem:
		p.Type = "gem"
	case VSCode:
		p.Type = "vscode-extension"
	case DotNet:
		return convertDotNet(p, from)
	case Executable:
		return convertGo(p, found)
	default:
		return false
	}
	return true
}

// unpacked tells whether the files of one of dpkg's packages are there: also
// where it is not configured, or waits for another's trigger, as after a build
// step that failed and went on. Files of distroless images say no status.
func unpacked(location, status string) bool {
	words := strings.Fields(status)
	if len(words) == 0 {
		return path.Base(path.Dir(location)) == "status.d"
	}
	switch words[len(words)-1] {
	case "not-installed", "config-files":
		return false
	default:
		return true
	}
}

// convertGo returns false for the program itself when it was built without a
// version: that is the image's own software, no advisory can name it.
func convertGo(p *inventory.Package, found *Found) bool {
	p.Type, p.Evidence = "golang", inventory.File
	if p.Name == "go" {
		p.Name = "stdlib"
	}
	switch folder := strings.HasPrefix(p.Name, ".") || strings.HasPrefix(p.Name, "/"); {
	case !folder && p.Version == "(devel)", p.Name == "command-line-arguments":
		return false
	case folder, p.Version == "":
		// A dependency replaced by a folder of the build machine.
		found.note(verdict.NoteUnknownPackageVersion, "%s: Go module %q has no version", p.Location, p.Name)
		return false
	}
	return true
}

// convertDotNet returns false for what is no package of NuGet: the program's
// own projects, and files it was built with.
func convertDotNet(p *inventory.Package, from *extractor.Package) bool {
	p.Type = "nuget"
	m, ok := from.Metadata.(*depsjson.Metadata)
	switch {
	case !ok:
		return false
	case m.Type == "runtimepack": // what a program brings along of .NET itself
		p.Name = strings.TrimPrefix(p.Name, "runtimepack.")
		return true
	default:
		return m.Type == "package"
	}
}

// source fills in what an OS package leaves out where its source has the same
// name or version.
func source(p inventory.Package, name, version string) verdict.Source {
	if name == "" {
		name = p.Name
	}
	if version == "" {
		version = p.Version
	}
	return verdict.Source{Name: name, Version: version}
}

// normalisePython is the form of a name that PEP 503 compares.
func normalisePython(name string) string {
	return strings.ToLower(regexp.MustCompile(`[-_.]+`).ReplaceAllString(name, "-"))
}
