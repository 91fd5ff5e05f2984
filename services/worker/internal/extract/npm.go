package extract

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// readNPM reads a package.json. Only the fields used here must have the right
// type: published packages break the rules for every other one. A file without
// name or version is not a package: such files mark folders inside packages.
func readNPM(location string, content []byte) (found Found) {
	var fields map[string]json.RawMessage
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	if err := json.Unmarshal(content, &fields); err != nil {
		found.note(verdict.NoteFileUnreadable, "%s: not a JSON object: %v", location, err)
		return found
	}
	name, version := text(fields["name"]), text(fields["version"])
	if name == "" || version == "" {
		return found
	}
	licenses := licensesOf(fields["license"])
	if licenses == nil {
		licenses = licensesOf(fields["licenses"])
	}
	found.Packages = []inventory.Package{{
		Type: "npm", Name: name, Version: strings.TrimPrefix(version, "v"), Licenses: licenses,
		Evidence: inventory.Record, Location: location,
	}}
	return found
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return strings.TrimSpace(s)
}

// licensesOf reads the forms that were ever in use: "MIT", {"type": "MIT"}, and
// a list of them.
func licensesOf(raw json.RawMessage) []string {
	if s := text(raw); s != "" {
		return []string{s}
	}
	var object struct{ Type json.RawMessage }
	if json.Unmarshal(raw, &object) == nil && text(object.Type) != "" {
		return []string{text(object.Type)}
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var all []string
	for _, item := range list {
		if len(item) > 0 && item[0] != '[' { // no deeper lists
			all = append(all, licensesOf(item)...)
		}
	}
	return all
}
