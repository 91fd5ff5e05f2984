package merge

import (
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// cover tells what one layer hides of those below it.
type cover struct {
	layer     inventory.Layer
	whiteouts map[string]bool
	opaques   map[string]bool
	below     map[string]bool // by directory: whether everything below it is hidden
}

func newCover(l inventory.Layer) *cover {
	c := &cover{layer: l, whiteouts: map[string]bool{}, opaques: map[string]bool{}, below: map[string]bool{}}
	for _, path := range l.Whiteouts {
		c.whiteouts[path] = true
	}
	for _, path := range l.Opaques {
		c.opaques[path] = true
	}
	return c
}

// hides tells whether a file below is gone: removed, or replaced by whatever
// has its path now, or inside a directory with which that happened.
func (c *cover) hides(path string) bool {
	hash := inventory.Hash(path)
	return c.whiteouts[path] || c.layer.Paths.HasHash(hash) || c.layer.Dirs.HasHash(hash) || c.hidesBelow(parent(path))
}

func (c *cover) hidesBelow(dir string) bool {
	hidden, known := c.below[dir]
	if !known {
		hidden = c.opaques[dir]
		if !hidden && dir != "" {
			hidden = c.whiteouts[dir] || c.layer.Paths.Has(dir) || c.hidesBelow(parent(dir))
		}
		c.below[dir] = hidden
	}
	return hidden
}

// parent is the directory of a path, "" for the root.
func parent(path string) string {
	return path[:max(strings.LastIndexByte(path, '/'), 0)]
}
