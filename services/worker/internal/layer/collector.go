package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

const (
	whiteout = ".wh."         // removes the file named behind it
	aufsMark = ".wh..wh."     // aufs's own bookkeeping
	opaque   = ".wh..wh..opq" // hides everything below the directory

	releaseSize = 64 << 10 // an os-release file has 500 bytes
	keptBuffer  = 16 << 20 // a larger one is given back after its file
	maxNotes    = 100      // of one layer; what is cut is counted in a last one
)

// collector gathers what is in one layer while its archive is walked.
type collector struct {
	reader    *Reader
	found     inventory.Layer
	entries   int
	packages  int
	names     int64
	paths     []uint64
	dirs      []uint64
	whiteouts map[string]bool
	opaques   map[string]bool
	links     map[string]string
	releases  map[string]string
	files     map[string]extract.Found // what files of interest held, by path
	databases map[string]bool
	hashes    map[string][]inventory.Fingerprint // of files that were hashed, by path
	hashed    int
	muted     int // notes beyond maxNotes
	buffer    bytes.Buffer
}

func newCollector(r *Reader, digest string) *collector {
	return &collector{
		reader: r, found: inventory.Layer{Digest: digest, Engine: r.Engine()},
		whiteouts: map[string]bool{}, opaques: map[string]bool{}, links: map[string]string{},
		releases: map[string]string{}, files: map[string]extract.Found{}, databases: map[string]bool{},
		hashes: map[string][]inventory.Fingerprint{},
	}
}

// walk reads the archive to its end mark.
func (c *collector) walk(ctx context.Context, archive *tar.Reader) error {
	for {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w: entry %d: %w", ErrCorrupt, c.entries+1, err)
		}
		if c.entries++; c.entries > c.reader.limits.Entries {
			return fmt.Errorf("%w: more than %d entries", errLimit, c.reader.limits.Entries)
		}
		if err := c.entry(ctx, header, archive); err != nil {
			return fmt.Errorf("entry %d, %.200q: %w", c.entries, header.Name, err)
		}
	}
}

func (c *collector) entry(ctx context.Context, header *tar.Header, content io.Reader) error {
	if len(header.Name) > c.reader.limits.PathLength || len(header.Linkname) > c.reader.limits.PathLength {
		c.partial("an entry with a path of %d bytes was left out", max(len(header.Name), len(header.Linkname)))
		return nil
	}
	name := clean(header.Name)
	if name == "" || header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if c.mark(name) {
		return nil
	}
	c.forget(name)
	if header.Typeflag == tar.TypeDir {
		c.dirs = append(c.dirs, inventory.Hash(name))
		return nil
	}
	c.paths = append(c.paths, inventory.Hash(name))
	switch header.Typeflag {
	case tar.TypeLink:
		if c.keep(len(name) + len(header.Linkname)) {
			c.links[name] = clean(header.Linkname)
		}
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return c.file(ctx, name, header.FileInfo(), content)
	}
	return nil
}

// forget drops what an earlier entry of the same path held.
func (c *collector) forget(name string) {
	if old, ok := c.files[name]; ok {
		c.packages -= len(old.Packages)
		delete(c.files, name)
	}
	delete(c.links, name)
	delete(c.releases, name)
	delete(c.databases, name)
	delete(c.hashes, name)
}

// mark takes note of a whiteout. A name that would remove its own directory or
// the one above is an ordinary file's.
func (c *collector) mark(name string) bool {
	dir, base := path.Split(name)
	target, ok := strings.CutPrefix(base, whiteout)
	switch {
	case !ok || target == "" || target == "." || target == "..":
		return false
	case base == opaque:
		if c.keep(len(dir)) {
			c.opaques[strings.TrimSuffix(dir, "/")] = true
		}
	case strings.HasPrefix(base, aufsMark):
	case c.keep(len(name)):
		c.whiteouts[dir+target] = true
	}
	return true
}

// keep tells whether so many more bytes of paths may be kept.
func (c *collector) keep(size int) bool {
	limit := c.reader.limits.Names
	if c.names > limit {
		return false
	}
	if c.names += int64(size); c.names > limit {
		c.partial("more than %d bytes of whiteouts and links; the rest was left out", limit)
		return false
	}
	return true
}

func (c *collector) file(ctx context.Context, name string, info fs.FileInfo, content io.Reader) error {
	if name == "etc/os-release" || name == "usr/lib/os-release" {
		return c.release(name, content)
	}
	kind := extract.KindOf(name, info.Mode())
	if kind.Database() {
		c.databases[name] = true // even if it cannot be read, older ones no longer count
	}
	sniff := kind == extract.Executable || c.reader.limits.Fingerprints > 0
	if kind == extract.None && !sniff {
		return nil
	}
	hash := false
	if sniff {
		head, whole, err := peek(content)
		if err != nil {
			return err
		}
		content = whole
		binary := extract.Binary(head)
		if kind == extract.Executable && !binary {
			kind = extract.None
		}
		hash = c.candidate(name, info, binary)
	}
	if kind != extract.None && info.Size() > min(c.reader.limits.File, kind.MaxSize(name)) {
		c.partial("%s has %d bytes and was not looked into", name, info.Size())
		kind = extract.None
	}
	switch {
	case kind != extract.None:
		return c.extract(ctx, name, info, content, hash)
	case hash:
		return c.fingerprint(name, content)
	}
	return nil
}

// peek reads a file's first bytes, and gives it back whole.
func peek(content io.Reader) (head []byte, whole io.Reader, err error) {
	head = make([]byte, 4)
	n, err := io.ReadFull(content, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return head[:n], io.MultiReader(bytes.NewReader(head[:n]), content), nil
}

// extract holds the file in memory and looks for packages.
func (c *collector) extract(ctx context.Context, name string, info fs.FileInfo, content io.Reader, hash bool) error {
	if err := c.reader.memory.Acquire(ctx, info.Size()); err != nil {
		return context.Cause(ctx)
	}
	defer c.reader.memory.Release(info.Size())
	c.buffer.Reset()
	c.buffer.Grow(int(min(info.Size(), 1<<20)))
	if _, err := c.buffer.ReadFrom(content); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if hash {
		c.keepHash(extract.Fingerprint(name, c.buffer.Bytes()))
	}
	found := c.reader.set.Extract(ctx, name, info, c.buffer.Bytes())
	if c.buffer.Cap() > keptBuffer {
		c.buffer = bytes.Buffer{}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	for _, note := range found.Notes {
		c.note(note.Code, note.Message)
	}
	c.found.Partial = c.found.Partial || found.Partial
	for _, f := range found.Inner {
		c.keepHash(f)
	}
	if c.packages+len(found.Packages) > c.reader.limits.Packages {
		return fmt.Errorf("%w: more than %d packages", errLimit, c.reader.limits.Packages)
	}
	c.packages += len(found.Packages)
	if len(found.Packages)+len(found.Owners) > 0 {
		c.files[name] = extract.Found{Packages: found.Packages, Owners: found.Owners}
	}
	return nil
}

func (c *collector) release(name string, content io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(content, releaseSize))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	c.releases[name] = string(text)
	return nil
}

// clean is the path as it will be in the container, without the leading slash;
// nothing leads out of the root, which is "".
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
