package layer

import (
	"io/fs"
	"path"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// symlinks are a layer's symbolic links as far as it was read. Runtimes unpack
// a layer into a folder of its own and lay that over the others: an entry
// whose path leads through a link of the same layer lands where the link
// points. Through one of a layer below it does not: a folder takes the place of
// that link.
type symlinks struct {
	targets     map[string]string
	size        int64  // bytes of them
	dir, landed string // the folder last looked up, with its slash: entries of one stand together
}

// deepest is how many folders a path may have for its links to be followed:
// real ones have some tens, and a hostile archive's would take for ever.
const deepest = 128

func (s *symlinks) set(name, target string) {
	if strings.Count(target, "/") <= deepest {
		s.targets[name] = target
		s.dir = ""
	}
}

func (s *symlinks) remove(name string) {
	if _, ok := s.targets[name]; ok {
		delete(s.targets, name)
		s.dir = ""
	}
}

// follow is where an entry lands.
func (s *symlinks) follow(name string) string {
	dir, base := path.Split(name)
	if dir == "" || len(s.targets) == 0 {
		return name
	}
	if dir != s.dir && strings.Count(dir, "/") > deepest {
		return name
	}
	if dir != s.dir {
		s.dir, s.landed = dir, s.real(dir)
	}
	if s.landed == dir {
		return name
	}
	return path.Join(s.landed, base)
}

// through tells whether the way to a folder leads through a link.
func (s *symlinks) through(dir string) bool {
	for dir != "" {
		if _, ok := s.targets[dir]; ok {
			return true
		}
		dir = parent(dir)
	}
	return false
}

// real is the folder that a path with links leads to. Without links, of links in
// a circle, and of ways that are too long, the path stays what it is.
func (s *symlinks) real(dir string) string {
	if !s.through(parent(dir)) {
		return dir
	}
	const steps = 4 * deepest
	at, rest := "", strings.Split(dir, "/")
	for range steps {
		if len(rest) == 0 {
			return at
		}
		at, rest = clean(at+"/"+rest[0]), rest[1:]
		target, ok := s.targets[at]
		if !ok {
			continue
		}
		at = path.Dir("/" + at)[1:]
		if strings.HasPrefix(target, "/") {
			at = ""
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return dir
}

// symlink keeps a link, as far as there is room for them.
func (c *collector) symlink(name, target string) {
	limit, before := c.reader.limits.Names, c.symlinks.size
	c.symlinks.size += int64(len(name) + len(target))
	switch {
	case c.symlinks.size <= limit:
		c.symlinks.set(name, target)
	case before <= limit:
		c.partial("more than %s of symbolic links (%s); files behind the rest may be seen at other paths", config.Size(limit), SettingPaths)
	}
}

// land is the path under which an entry is kept. What is known by its path
// alone keeps that one: a container finds it there.
func (c *collector) land(name string, mode fs.FileMode) string {
	landed := c.symlinks.follow(name)
	if landed == name || extract.KindOf(landed, mode) == extract.KindOf(name, mode) && !release(name) {
		return landed
	}
	c.paths = append(c.paths, inventory.Hash(landed))
	return name
}

// above takes note of the folders that an entry needs, which runtimes make
// where the archive does not have them: they too take the place of what was
// there before. Those that only a whiteout needs are left out: runtimes do not
// agree on them. Entries of one folder mostly stand together.
func (c *collector) above(name string) {
	before := c.dir
	c.dir = parent(name)
	dir := c.dir
	for range deepest {
		if dir == "" || dir == before || len(before) > len(dir) && before[len(dir)] == '/' && before[:len(dir)] == dir {
			break
		}
		c.implied = append(c.implied, inventory.Hash(dir))
		dir = parent(dir)
	}
	c.pack()
}

// pack drops what is in the list of folders more than once, now and then. How
// many are left is bounded as entries are.
func (c *collector) pack() {
	const often = 1 << 18
	if len(c.implied) < max(often, 2*c.packed) {
		return
	}
	c.implied = inventory.NewHashes(c.implied)
	c.packed = len(c.implied)
	if limit := c.reader.limits.Entries; c.packed > limit {
		c.implied, c.packed = c.implied[:0], 0
		c.partial("more than %d folders without an entry (%s); not all are known", limit, SettingEntries)
	}
}

func parent(name string) string { return name[:max(strings.LastIndexByte(name, '/'), 0)] }
