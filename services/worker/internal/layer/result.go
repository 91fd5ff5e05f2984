package layer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// note adds a note about the layer; after so many they are only counted.
func (c *collector) note(code, message string) {
	if len(c.found.Notes) >= maxNotes {
		c.muted++
		return
	}
	c.found.Notes = append(c.found.Notes, verdict.Note{Code: code, Message: message, Layer: c.found.Digest})
}

// layer puts together what was found, in a fixed order.
func (c *collector) layer() inventory.Layer {
	paths := inventory.NewHashes(c.paths)
	c.noteStrayLinks(paths)
	l := c.found
	if c.muted > 0 {
		l.Notes = append(l.Notes, verdict.Note{
			Code: verdict.NoteFileUnreadable, Message: fmt.Sprintf("%d further notes were left out", c.muted), Layer: l.Digest,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(c.releases)) {
		l.Releases = append(l.Releases, inventory.Release{Path: name, Content: c.releases[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		l.Packages = append(l.Packages, c.files[name].Packages...)
		l.Owners = append(l.Owners, c.files[name].Owners...)
	}
	slices.SortStableFunc(l.Packages, inventory.Compare)
	slices.SortStableFunc(l.Owners, func(a, b inventory.Owner) int {
		return cmp.Or(cmp.Compare(a.Location, b.Location), cmp.Compare(a.Package, b.Package))
	})
	for _, name := range slices.Sorted(maps.Keys(c.hashes)) {
		l.Fingerprints = append(l.Fingerprints, c.hashes[name]...)
	}
	l.Databases = slices.Sorted(maps.Keys(c.databases))
	l.Whiteouts, l.Opaques = slices.Sorted(maps.Keys(c.whiteouts)), slices.Sorted(maps.Keys(c.opaques))
	l.Paths, l.Dirs = paths, inventory.NewHashes(append(c.dirs, c.implied...))
	for _, name := range slices.Sorted(maps.Keys(c.links)) {
		target := c.target(name)
		_, file := c.files[target]
		_, release := c.releases[target]
		_, hashed := c.hashes[target]
		if file || release || hashed || !l.Paths.Has(target) {
			l.Links = append(l.Links, inventory.Link{Path: name, Target: target})
		}
	}
	return l
}

// noteStrayLinks notes the hard links whose names promise packages while their
// content came before, under a name that promises none: it is gone by then.
// Stores that share files, as those of pnpm and OSTree, make such links.
func (c *collector) noteStrayLinks(paths inventory.Hashes) {
	count, example := 0, ""
	for _, name := range slices.Sorted(maps.Keys(c.links)) {
		target := c.target(name)
		if _, found := c.files[target]; found || !promising(name) || promising(target) || !paths.Has(target) {
			continue
		}
		if count++; count == 1 {
			example = name + " to " + target
		}
	}
	if count > 0 {
		c.note(verdict.NoteFileUnreadable, fmt.Sprintf("%d hard links to files that were not looked into under their own names, as %s", count, example))
	}
}

// promising tells whether a file is looked into because of its name alone.
func promising(name string) bool {
	kind := extract.KindOf(name, 0)
	return name == "etc/os-release" || name == "usr/lib/os-release" || (kind != extract.None && kind != extract.Executable)
}

// target follows links to links, which nobody makes on purpose, so far.
func (c *collector) target(name string) string {
	target := c.links[name]
	for range 40 { // as many as Linux follows symbolic links
		next, ok := c.links[target]
		if !ok || next == name {
			break
		}
		target = next
	}
	return target
}
