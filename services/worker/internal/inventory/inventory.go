// Package inventory holds what was found inside a layer and inside an image,
// before anything is compared with advisories. An inventory depends only on
// the bytes it was read from and on the engine that read them.
package inventory

import "github.com/landwaiter/landwaiter/services/internal/verdict"

// Evidence says what a package was recognised by.
type Evidence string

// The kinds of evidence.
const (
	Record Evidence = "record" // an entry of a package manager's database or manifest
	File   Evidence = "file"   // build information inside a binary or an archive
	Hashed Evidence = "hash"   // the hash of a file, on the user's list of fingerprints
)

// Package is one package found in a layer or image.
type Package struct {
	Type      string         `json:"type"`    // purl type: deb, apk, rpm, npm, pypi, golang, maven, gem, cargo, nuget, composer, cran, …
	Name      string         `json:"name"`    // binary package name; group:artifact for maven; normalised for pypi
	Version   string         `json:"version"` // with epoch where it is not 0
	Arch      string         `json:"arch,omitempty"`
	Source    verdict.Source `json:"source,omitzero"`     // deb, apk, rpm: source name and version
	Module    string         `json:"module,omitempty"`    // rpm modularity label
	Vendor    string         `json:"vendor,omitempty"`    // dpkg maintainer, rpm vendor
	Licenses  []string       `json:"licenses,omitempty"`  //
	Evidence  Evidence       `json:"evidence"`            //
	Location  string         `json:"location"`            // path, no leading slash
	OwnedBy   string         `json:"ownedBy,omitempty"`   // the OS package whose file it is, in an image inventory
	Listed    *Listing       `json:"listed,omitempty"`    // what the user's list of fingerprints says against its file
	Ecosystem string         `json:"ecosystem,omitempty"` // OSV ecosystem, with release for an OS package; set by the merge
	PURL      string         `json:"purl,omitempty"`      // set by the merge, when the distribution is known
	Layer     int            `json:"layer,omitempty"`     // index of the layer that brought it; set by the merge
}

// Image is the merged inventory of one platform image.
type Image struct {
	Engine   string          `json:"engine"` // extractor set version
	OS       verdict.OS      `json:"os"`
	Layers   []verdict.Layer `json:"layers"`
	Packages []Package       `json:"packages"` // ordered by type, name, version, location
	Notes    []verdict.Note  `json:"notes"`    // what was not seen
}
