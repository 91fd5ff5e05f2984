package extract

import (
	"path"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// readR reads the DESCRIPTION of an installed package of R, in the form of
// Debian's control files. R adds the field Built when it installs, so that
// sources, and other files of that name, can be told apart. What belongs to R
// itself has R's version and is in no archive of packages.
func readR(location string, content []byte) (found Found) {
	fields := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(line, ":"); ok && !strings.ContainsAny(key, " \t") {
			fields[key] = strings.TrimSpace(value)
		}
	}
	name, version := fields["Package"], fields["Version"]
	if fields["Built"] == "" || name != path.Base(path.Dir(location)) || fields["Priority"] == "base" {
		return found
	}
	if version == "" {
		found.note(verdict.NoteUnknownPackageVersion, "%s: package %q has no version", location, name)
		return found
	}
	p := inventory.Package{Type: "cran", Name: name, Version: version, Evidence: inventory.Record, Location: location}
	if _, ok := fields["biocViews"]; ok && fields["Repository"] == "" {
		p.Type = "bioconductor"
	}
	if license := fields["License"]; license != "" {
		p.Licenses = []string{license}
	}
	found.Packages = []inventory.Package{p}
	return found
}
