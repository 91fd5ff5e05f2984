package layer

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

const (
	whiteout = ".wh."         // removes the file named behind it
	aufsMark = ".wh..wh."     // aufs's own bookkeeping
	opaque   = ".wh..wh..opq" // hides everything below the directory

	releaseSize = 64 << 10 // an os-release file has 500 bytes
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
	implied   []uint64 // folders that entries lie in
	packed    int      // of these were left when they were last looked through
	dir       string   // the folder last seen
	whiteouts map[string]bool
	opaques   map[string]bool
	links     map[string]string
	stored    map[string][]inventory.Package // what files of a store hold: see storable
	symlinks  symlinks
	releases  map[string]string
	files     map[string]extract.Found // what files of interest held, by path
	databases map[string]bool
	hashes    map[string][]inventory.Fingerprint // of files that were hashed, by path
	hashed    int
	muted     int   // notes beyond maxNotes
	most      int64 // bytes of one file that may be held
	mostBy    string
	watch     *stopwatch
	alone     bool // no other layer holds files: this one has a large window
	buffer    bytes.Buffer
}

func newCollector(r *Reader, digest string) *collector {
	return &collector{
		reader: r, most: r.limits.File, mostBy: cmp.Or(r.limits.FileBy, SettingFile), watch: newStopwatch(r.limits.Time), found: inventory.Layer{Digest: digest, Engine: r.Engine()},
		whiteouts: map[string]bool{}, opaques: map[string]bool{}, links: map[string]string{},
		symlinks: symlinks{targets: map[string]string{}},
		releases: map[string]string{}, files: map[string]extract.Found{}, databases: map[string]bool{},
		hashes: map[string][]inventory.Fingerprint{}, stored: map[string][]inventory.Package{},
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
			return overf("it has more than %d entries (%s)", c.reader.limits.Entries, SettingEntries)
		}
		if err := c.entry(ctx, header, archive); err != nil {
			return fmt.Errorf("entry %d, %.200q: %w", c.entries, header.Name, err)
		}
	}
}

func (c *collector) entry(ctx context.Context, header *tar.Header, content io.Reader) error {
	if n := max(len(header.Name), len(header.Linkname)); n > c.reader.limits.PathLength {
		c.partial("an entry with a path of %d bytes, more than %d (%s), was left out", n, c.reader.limits.PathLength, SettingPathLength)
		return nil
	}
	name := clean(header.Name)
	if name == "" || header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name = c.land(name, header.FileInfo().Mode())
	if c.mark(name) {
		return nil
	}
	c.above(name)
	c.forget(name)
	if header.Typeflag == tar.TypeDir {
		c.dirs = append(c.dirs, inventory.Hash(name))
		return nil
	}
	c.paths = append(c.paths, inventory.Hash(name))
	switch header.Typeflag {
	case tar.TypeLink:
		return c.link(name, c.symlinks.follow(clean(header.Linkname)))
	case tar.TypeSymlink:
		c.symlink(name, header.Linkname)
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
	delete(c.stored, name)
	c.symlinks.remove(name)
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
		c.partial("more than %s of whiteouts and links (%s); the rest was left out", config.Size(limit), SettingPaths)
		return false
	}
	return true
}

func (c *collector) file(ctx context.Context, name string, info fs.FileInfo, content io.Reader) error {
	if release(name) {
		return c.release(name, content)
	}
	kind := extract.KindOf(name, info.Mode())
	if kind.Database() {
		c.databases[name] = true // even if it cannot be read, older ones no longer count
	}
	sniff := kind == extract.Executable || c.reader.limits.Fingerprints
	stored := storable(name, info.Size())
	if kind == extract.None && !sniff && !stored {
		return nil
	}
	hash, o := false, outline{size: info.Size()}
	if sniff {
		head, whole, err := peek(content, info.Size())
		if err != nil {
			return err
		}
		content = whole
		binary := extract.Binary(head)
		if kind == extract.Executable && !binary {
			kind = extract.None
		}
		if kind == extract.Executable {
			o = outlineOf(head, info.Size(), c.most)
		}
		hash = c.candidate(name, info, binary)
	}
	if kind == extract.None && stored && !hash {
		return c.store(ctx, name, info, content)
	}
	return c.look(ctx, kind, file{name, info, o, hash}, content)
}

// look looks into a file as far as its size allows.
func (c *collector) look(ctx context.Context, kind extract.Kind, f file, content io.Reader) error {
	switch largest := kind.MaxSize(f.name); {
	case kind == extract.None:
	case f.outline.weight() > c.most:
		c.tooLarge(f)
		kind = extract.None
	case f.info.Size() > largest:
		c.partial("%s has %d bytes, more than %s, which is fixed for what the %s reader reads, and was not looked into",
			f.name, f.info.Size(), config.Size(largest), kind)
		kind = extract.None
	}
	switch {
	case kind == extract.Java:
		f.outline.inner = c.reader.limits.Archives.Held
		return c.extract(ctx, f, content)
	case kind != extract.None:
		return c.extract(ctx, f, content)
	case f.hash:
		return c.fingerprint(f.name, content)
	}
	return nil
}

func (c *collector) tooLarge(f file) {
	c.partial("%s has %d bytes, more than %s (%s), and was not looked into", f.name, f.info.Size(), config.Size(c.most), c.mostBy)
}

// peek reads a file's first bytes, of a large one as many as tell what a
// program consists of, and gives it back whole.
func peek(content io.Reader, size int64) (head []byte, whole io.Reader, err error) {
	head = make([]byte, 4)
	n, err := io.ReadFull(content, head)
	if err == nil && size > keptBuffer && extract.Binary(head) {
		more := make([]byte, extract.ProgramHead-len(head))
		var m int
		m, err = io.ReadFull(content, more)
		head, n = slices.Concat(head, more[:m]), n+m
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return head[:n], io.MultiReader(bytes.NewReader(head[:n]), content), nil
}

// file is an entry that is looked into.
type file struct {
	name    string
	info    fs.FileInfo
	outline outline
	hash    bool // take its fingerprint too
}

// extract holds the file in memory and looks for packages.
func (c *collector) extract(ctx context.Context, f file, content io.Reader) error {
	hasher := extract.NewHasher(f.name)
	if f.hash {
		content = io.TeeReader(content, hasher)
	}
	held, release, err := c.hold(ctx, f.outline, content)
	if err != nil {
		return err
	}
	defer release()
	if f.hash {
		c.keepHash(hasher.Fingerprint(f.name))
	}
	found := c.reader.set.Extract(ctx, f.name, f.info, held)
	if f.outline.barren && extract.NeedsConstants(held) {
		c.tooLarge(f)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return c.take(f.name, found)
}

// take keeps what a file held.
func (c *collector) take(name string, found extract.Found) error {
	for _, note := range found.Notes {
		c.note(note.Code, note.Message)
	}
	c.found.Partial = c.found.Partial || found.Partial
	for _, f := range found.Inner {
		c.keepHash(f)
	}
	if c.packages+len(found.Packages) > c.reader.limits.Packages {
		return overf("it has more than %d packages (%s)", c.reader.limits.Packages, SettingPackages)
	}
	c.packages += len(found.Packages)
	if len(found.Packages)+len(found.Owners) > 0 {
		c.files[name] = extract.Found{Packages: found.Packages, Owners: found.Owners}
	}
	return nil
}

func release(name string) bool { return name == "etc/os-release" || name == "usr/lib/os-release" }

func (c *collector) release(name string, content io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(content, releaseSize+1))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if len(text) > releaseSize {
		text = text[:releaseSize]
		c.partial("%s has more than %s, which is fixed; the rest of it was left out", name, config.Size(releaseSize))
	}
	c.releases[name] = string(text)
	return nil
}

// clean is the path as it will be in the container, without the leading slash;
// nothing leads out of the root, which is "". Most paths are that already.
func clean(name string) string {
	short := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if fs.ValidPath(short) && short != "." {
		return short
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
