package fingerprint

import (
	"path"
	"slices"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// Mark returns the layer with the files on the list as packages, and without
// its fingerprints, which have then done their work. The layer itself is left
// as it is. Marked layers are merged like others: a file that a higher layer
// replaces is gone, whatever the list says of it.
func (l *List) Mark(layer inventory.Layer) inventory.Layer {
	fingerprints := layer.Fingerprints
	layer.Fingerprints = nil
	if l == nil || len(fingerprints) == 0 {
		return layer
	}
	layer.Packages = slices.Clone(layer.Packages)
	for _, f := range fingerprints {
		for _, sum := range [][]byte{f.SHA256, f.SHA1} {
			for _, said := range l.lines[string(sum)] {
				layer.Packages = said.mark(layer.Packages, f.Path)
			}
		}
	}
	slices.SortStableFunc(layer.Packages, inventory.Compare)
	return layer
}

// mark adds the file as a package. One that its content has already named is
// not added again.
func (l line) mark(pkgs []inventory.Package, location string) []inventory.Package {
	p := l.pkg
	p.Evidence, p.Location, p.Listed = inventory.Hashed, location, l.listing
	if p.Name == "" {
		p.Name = path.Base(location)
	}
	same := func(q inventory.Package) bool {
		return q.Type == p.Type && q.Name == p.Name && q.Version == p.Version && q.Location == p.Location
	}
	at := slices.IndexFunc(pkgs, same)
	if at < 0 {
		return append(pkgs, p)
	}
	if pkgs[at].Listed == nil {
		pkgs[at].Listed = l.listing
	}
	return pkgs
}
