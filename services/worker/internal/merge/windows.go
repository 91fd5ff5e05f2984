package merge

import (
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

const windowsID = "windows"

// windowsLayer tells whether a layer is one of Windows: its files lie in Files,
// and changes to the registry in Hives, which is there even without any.
func windowsLayer(l inventory.Layer) bool {
	return l.Dirs.Has("Files") && l.Dirs.Has("Hives")
}

// Windows says of which Windows an image is: the layers do not tell, its
// configuration does (os.version, as 10.0.20348.2340). Windows itself has no
// advisories in OSV, so there is a note, also where all layers are foreign.
func Windows(image *inventory.Image, version string) {
	image.OS = verdict.OS{ID: windowsID, Version: version, Name: strings.TrimSpace("Windows " + version)}
	for i := range image.Notes {
		if image.Notes[i].Code == verdict.NoteUnsupportedOS {
			image.Notes[i] = windowsNote(version)
			return
		}
	}
	image.Notes = append(image.Notes, windowsNote(version))
}

func windowsNote(version string) verdict.Note {
	return verdict.Note{
		Code:    verdict.NoteUnsupportedOS,
		Message: strings.TrimSpace("no advisories are kept for Windows "+version) + ": only the applications in the image are compared",
	}
}
