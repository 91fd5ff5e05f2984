// Package schemas holds landwaiter's public contract in the forms that other
// programs read: JSON Schema of every event's data, of the report and of the
// configuration, OpenAPI of the HTTP APIs, AsyncAPI of the subjects.
package schemas

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
)

// Base is what a file's name is appended to, to make its schema's $id.
const Base = "https://landwaiter.dev/schemas/"

// The documents that are no JSON Schema.
const (
	OpenAPI  = "openapi.json"
	AsyncAPI = "asyncapi.yaml"
)

//go:embed *.json *.yaml
var files embed.FS

// FS holds every document under its file's name, without folders.
func FS() fs.FS { return files }

// Read returns one document by its file's name. For a name that is none of
// Names the error is fs.ErrNotExist.
func Read(name string) ([]byte, error) {
	raw, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	return raw, nil
}

// Names lists every document, by name.
func Names() []string {
	names, err := fs.Glob(files, "*")
	if err != nil {
		return nil // the pattern is a constant, and valid
	}
	slices.Sort(names)
	return names
}
