package inventory

import "github.com/landwaiter/landwaiter/services/internal/verdict"

// Fingerprint is a file's hash, kept so that a list of known files can be held
// against a layer without reading it again.
type Fingerprint struct {
	Path   string `json:"path"`           // of the outermost archive, for a file inside one
	SHA256 []byte `json:"sha256"`         // 32 bytes
	SHA1   []byte `json:"sha1,omitempty"` // 20 bytes, of archives: repositories of jars are indexed by it
}

// Listing is what a user's list of fingerprints says against a file.
type Listing struct {
	Hash     string           `json:"hash"` // sha256:hex or sha1:hex, as the list has it
	Severity verdict.Severity `json:"severity"`
	Comment  string           `json:"comment,omitempty"`
}
