package extract

import (
	"bytes"
	"encoding/json"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// readComposer reads vendor/composer/installed.json: an object with a list of
// packages, and before Composer 2 only the list. A package that does not say
// name and version is left out with a note; fields that are not used here may
// have any type.
func readComposer(location string, content []byte) (found Found) {
	var object struct{ Packages []map[string]json.RawMessage }
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("[")) {
		err = json.Unmarshal(content, &object.Packages)
	} else {
		err = json.Unmarshal(content, &object)
	}
	if err != nil {
		found.note(verdict.NoteFileUnreadable, "%s: not a list of Composer's: %v", location, err)
		return found
	}
	for _, fields := range object.Packages {
		name, version := text(fields["name"]), text(fields["version"])
		if name == "" || version == "" {
			found.note(verdict.NoteUnknownPackageVersion, "%s: package %q has no version", location, name)
			continue
		}
		found.Packages = append(found.Packages, inventory.Package{
			Type: "composer", Name: name, Version: version, Licenses: licensesOf(fields["license"]),
			Evidence: inventory.Record, Location: location,
		})
	}
	return found
}
