package inventory

import "github.com/landwaiter/landwaiter/services/internal/verdict"

// Layer is what was found in one layer: enough to merge it with any other
// layers later, without reading it again.
type Layer struct {
	Digest       string         `json:"digest"`       // of the compressed bytes, verified
	Size         int64          `json:"size"`         // compressed bytes
	Uncompressed int64          `json:"uncompressed"` // bytes after decompression, as far as they were read
	Engine       string         `json:"engine"`       // extractor set version
	Partial      bool           `json:"partial,omitempty"`
	Notes        []verdict.Note `json:"notes,omitempty"` // what was not seen, each with this layer's digest

	Releases  []Release `json:"releases,omitempty"`  // os-release files, ordered by path
	Databases []string  `json:"databases,omitempty"` // package databases in this layer, also those without packages, sorted
	Packages  []Package `json:"packages,omitempty"`  // with Location; Ecosystem, PURL, Layer and OwnedBy empty
	Owners    []Owner   `json:"owners,omitempty"`    // OS packages' file lists, ordered by location and package

	Fingerprints []Fingerprint `json:"fingerprints,omitempty"` // of programs and archives, where they were asked for, ordered by path

	Whiteouts []string `json:"whiteouts,omitempty"` // paths removed from the layers below, sorted
	Opaques   []string `json:"opaques,omitempty"`   // directories whose content below is hidden, "" for the root, sorted
	Links     []Link   `json:"links,omitempty"`     // hard links that may lead to a package, ordered by path
	Paths     Hashes   `json:"paths,omitempty"`     // everything in the layer that is not a directory
	Dirs      Hashes   `json:"dirs,omitempty"`      // the directories
}

// Release is one os-release file.
type Release struct {
	Path    string `json:"path"` // etc/os-release or usr/lib/os-release
	Content string `json:"content"`
}

// Owner is an OS package with its files, as far as they may hold a package of
// a language.
type Owner struct {
	Package  string `json:"package"`  // name of the OS package
	Location string `json:"location"` // the file the list was read from
	Files    Hashes `json:"files"`
}

// Link is a hard link.
type Link struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}
