package merge

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// distribution is where a distribution's advisories are found in OSV.
type distribution struct {
	kind string // of its packages: deb, apk, rpm
	name string // OSV ecosystem with release; empty: none
}

// ecosystem maps an os-release to OSV's name. Only what is known to have
// advisories there is mapped: a derivative's packages are not its parent's.
func (r release) ecosystem() distribution {
	version := r.version()
	major, rest, _ := strings.Cut(version, ".")
	if _, err := strconv.Atoi(major); err != nil {
		major = "" // testing and unstable releases have none
	}
	switch id := r.id(); id {
	case "debian":
		return released("deb", "Debian", major)
	case "ubuntu":
		return released("deb", "Ubuntu", ubuntu(major, version))
	case "alpine":
		minor, _, _ := strings.Cut(rest, ".")
		if _, err := strconv.Atoi(minor); err != nil || major == "" {
			return distribution{kind: "apk"} // edge: 3.21_alpha20240807
		}
		return released("apk", "Alpine", "v"+major+"."+minor)
	case "wolfi":
		return distribution{kind: "apk", name: "Wolfi"}
	case "chainguard":
		return distribution{kind: "apk", name: "Chainguard"}
	case "almalinux":
		return released("rpm", "AlmaLinux", major)
	case "rocky":
		return released("rpm", "Rocky Linux", major)
	case "rhel":
		// The suffix would be a CPE, which os-release does not tell.
		return distribution{kind: "rpm", name: "Red Hat"}
	default:
		return distribution{}
	}
}

func released(kind, name, suffix string) distribution {
	if suffix == "" {
		return distribution{kind: kind}
	}
	return distribution{kind: kind, name: name + ":" + suffix}
}

// ubuntu marks the releases with long-term support: those of April in even years.
func ubuntu(major, version string) string {
	year, err := strconv.Atoi(major)
	if err != nil {
		return ""
	}
	if year%2 == 0 && strings.HasSuffix(version, ".04") {
		return version + ":LTS"
	}
	return version
}

// of returns the ecosystem of a package of the type.
func (d distribution) of(kind string) string {
	switch kind {
	case d.kind:
		return d.name
	case "npm":
		return "npm"
	case "pypi":
		return "PyPI"
	case "golang":
		return "Go"
	case "maven":
		return "Maven"
	default:
		return ""
	}
}

// unsupported notes why a distribution's packages cannot be matched, once an
// image. That there is no distribution is no gap.
func unsupported(image inventory.Image, d distribution) []verdict.Note {
	var packages, covered int
	for _, p := range image.Packages {
		if osPackage(p.Type) {
			packages++
			if p.Ecosystem != "" {
				covered++
			}
		}
	}
	name := strings.TrimSpace(image.OS.ID + " " + image.OS.Version)
	note := verdict.Note{Code: verdict.NoteUnsupportedOS}
	switch {
	case image.OS.ID == "" && packages > 0:
		note.Message = fmt.Sprintf("the distribution of %d packages is not known: there is no os-release", packages)
	case image.OS.ID == "":
		return nil
	case d.name == "":
		note.Message = "no advisories are kept for " + name
	case packages == 0:
		note = verdict.Note{Code: verdict.NoteFileUnreadable, Message: "the package database of " + name + " is missing"}
	case covered < packages:
		note.Message = fmt.Sprintf("%d packages are not of the kind %s uses", packages-covered, name)
	default:
		return nil
	}
	return []verdict.Note{note}
}
