package layer

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
)

// storedSize bounds what may be a package.json in a store: published ones have
// some kilobytes.
const storedSize = 1 << 20

// storable tells whether a file may be a package.json that is linked to where
// it is used. pnpm names the files of its store by their hashes, Bun's cache has
// whole packages. A store may come before the application in the archive, as
// root/.local comes before usr/src/app; then all content lies in the store.
func storable(name string, size int64) bool {
	dir, base := path.Split(name)
	if base == "package.json" {
		return size <= storedSize
	}
	const shortest = 64 // SHA-256 in hex
	return len(base) >= shortest && size <= storedSize && strings.Trim(base, "0123456789abcdef") == "" &&
		path.Base(path.Dir(path.Clean(dir))) == "files"
}

// store looks into a file of a store. What it holds counts at the paths that
// are linked to it, and nowhere else: a store keeps what nobody uses, too.
func (c *collector) store(ctx context.Context, name string, info fs.FileInfo, content io.Reader) error {
	head, content, err := peek(content, info.Size())
	if err != nil || !bytes.HasPrefix(head, []byte("{")) {
		return err
	}
	held, release, err := c.hold(ctx, outline{size: info.Size()}, content)
	if err != nil {
		return err
	}
	defer release()
	const installed = "node_modules/package.json"
	found := c.reader.set.Extract(ctx, installed, info, held)
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if len(found.Notes) > 0 {
		return nil // a link to it is noted
	}
	if c.packages+len(c.stored) >= c.reader.limits.Packages {
		return overf("it has more than %d packages (%s)", c.reader.limits.Packages, SettingPackages)
	}
	c.stored[name] = found.Packages
	return nil
}

// link keeps a hard link. One to a file of a store is the package itself.
func (c *collector) link(name, target string) error {
	if !c.keep(len(name) + len(target)) {
		return nil
	}
	c.links[name] = target
	packages, ok := c.stored[c.target(name)]
	if !ok || extract.KindOf(name, 0) != extract.NPM {
		return nil
	}
	delete(c.links, name)
	packages = slices.Clone(packages)
	for i := range packages {
		packages[i].Location = name
	}
	return c.take(name, extract.Found{Packages: packages})
}
