package merge

import (
	"fmt"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// gaps notes why a distribution's packages cannot be compared, once an image.
// That there is no distribution is no gap.
func gaps(image inventory.Image, d distribution) []verdict.Note {
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
