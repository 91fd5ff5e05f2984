package extract

import (
	"bytes"
	"path"
	"regexp"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// readPacman reads the description that pacman keeps of an installed package:
// the name of a field between percent signs, its values a line each, a blank
// line.
func readPacman(location string, content []byte) (found Found) {
	fields := map[string][]string{}
	field := ""
	for raw := range bytes.Lines(content) {
		line := string(bytes.TrimSpace(raw))
		switch {
		case line == "":
			field = ""
		case field == "" && len(line) > 2 && line[0] == '%' && line[len(line)-1] == '%':
			field = line
		case field != "":
			fields[field] = append(fields[field], line)
		}
	}
	first := func(name string) string {
		if values := fields[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	p := inventory.Package{
		Type: "alpm", Name: first("%NAME%"), Version: first("%VERSION%"), Arch: first("%ARCH%"), Vendor: first("%PACKAGER%"),
		Licenses: fields["%LICENSE%"], Evidence: inventory.Record, Location: location,
	}
	if p.Name == "" || p.Version == "" {
		found.note(verdict.NoteUnknownPackageVersion, "%s: package %q has no version", location, p.Name)
		return found
	}
	p.Source = source(p, first("%BASE%"), "")
	found.Packages = []inventory.Package{p}
	return found
}

// ebuild is a package's name and version in Gentoo: the version is what looks
// like one at the end, as names have dashes and digits too.
var ebuild = regexp.MustCompile(`^(.+)-([0-9]+(?:\.[0-9]+)*[a-z]?(?:_(?:alpha|beta|pre|rc|p)[0-9]*)*(?:-r[0-9]+)?)$`)

// readPortage reads what portage keeps of an installed package in
// var/db/pkg/CATEGORY/NAME-VERSION/PF: the last folder's name once more.
func readPortage(location string, content []byte) (found Found) {
	whole := string(bytes.TrimSpace(content))
	parts := ebuild.FindStringSubmatch(whole)
	if parts == nil || strings.Contains(whole, "/") {
		found.note(verdict.NoteUnknownPackageVersion, "%s: package %.200q has no version", location, whole)
		return found
	}
	category := path.Base(path.Dir(path.Dir(location)))
	found.Packages = []inventory.Package{{
		Type: "ebuild", Name: category + "/" + parts[1], Version: parts[2], Evidence: inventory.Record, Location: location,
	}}
	return found
}

// treeOfSystem knows the databases that have a folder for each package.
func treeOfSystem(name string) Kind {
	if rest, ok := strings.CutPrefix(name, "var/lib/pacman/local/"); ok && strings.Count(rest, "/") == 1 && strings.HasSuffix(rest, "/desc") {
		return Pacman
	}
	if rest, ok := strings.CutPrefix(name, "var/db/pkg/"); ok && strings.Count(rest, "/") == 2 && strings.HasSuffix(rest, "/PF") &&
		!strings.Contains(rest, "/-MERGING-") { // begun and not ended
		return Portage
	}
	return None
}
