package extract

import (
	"crypto/sha1" //nolint:gosec // repositories of jars are indexed by it; nothing is trusted because of it
	"crypto/sha256"
	"hash"
	"io"
	"path"
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// Archive tells by its name whether a file is an archive of software.
func Archive(name string) bool {
	base := strings.ToLower(path.Base(name))
	return javaArchive(base) || strings.HasSuffix(base, ".zip") || strings.HasSuffix(base, ".whl") || strings.HasSuffix(base, ".egg")
}

// Hasher takes a file's fingerprint as it is written to it.
type Hasher struct {
	sha256, sha1 hash.Hash
	all          io.Writer
}

// NewHasher returns a hasher for the file: of archives SHA-1 is taken too.
func NewHasher(name string) *Hasher {
	h := &Hasher{sha256: sha256.New()}
	h.all = h.sha256
	if Archive(name) {
		h.sha1 = sha1.New() //nolint:gosec // see the import
		h.all = io.MultiWriter(h.sha256, h.sha1)
	}
	return h
}

// Write implements io.Writer.
func (h *Hasher) Write(p []byte) (int, error) { return h.all.Write(p) }

// Fingerprint is that of what was written.
func (h *Hasher) Fingerprint(name string) inventory.Fingerprint {
	f := inventory.Fingerprint{Path: name, SHA256: h.sha256.Sum(nil)}
	if h.sha1 != nil {
		f.SHA1 = h.sha1.Sum(nil)
	}
	return f
}

// Fingerprint is that of a file in memory.
func Fingerprint(name string, content []byte) inventory.Fingerprint {
	h := NewHasher(name)
	_, _ = h.Write(content) // a hash never returns an error
	return h.Fingerprint(name)
}
