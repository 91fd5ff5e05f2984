package layer

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// candidate tells whether the file's fingerprint is taken: where they are asked
// for, of archives and of everything that can be run or loaded. Hashing all
// files would double what a layer costs.
func (c *collector) candidate(name string, info fs.FileInfo, binary bool) bool {
	return c.reader.limits.Fingerprints && info.Size() > 0 &&
		(binary || info.Mode()&0o111 != 0 || extract.Archive(name))
}

// fingerprint hashes a file that is not looked into as it passes.
func (c *collector) fingerprint(name string, content io.Reader) error {
	h := extract.NewHasher(name)
	if _, err := io.Copy(h, content); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	c.keepHash(h.Fingerprint(name))
	return nil
}

// keepHash adds a fingerprint as far as the limit goes.
func (c *collector) keepHash(f inventory.Fingerprint) {
	limit := c.reader.limits.Hashed
	if c.hashed++; c.hashed == limit+1 {
		c.partial("more than %d files are to be hashed (%s); the rest was left out", limit, SettingHashed)
	}
	if c.hashed <= limit {
		c.hashes[f.Path] = append(c.hashes[f.Path], f)
	}
}
