// Package merge lays the inventories of an image's layers over each other, as
// a container runtime lays the layers, and says what is left to be seen.
package merge

import (
	"slices"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// Merge returns the inventory of the image made of the layers, lowest first.
// The history describes the same layers in the same order; layers it does not
// reach are described by their own digest and size. The result depends on
// nothing but the arguments.
func Merge(engine string, layers []inventory.Layer, history []verdict.Layer) inventory.Image {
	s := newState()
	image := inventory.Image{Engine: engine, Layers: []verdict.Layer{}, Packages: []inventory.Package{}, Notes: []verdict.Note{}}
	windows := false
	for i, layer := range layers {
		s.apply(i, layer)
		windows = windows || windowsLayer(layer)
		described := verdict.Layer{Index: i, Digest: layer.Digest, Size: layer.Size}
		if i < len(history) {
			described = history[i]
		}
		image.Layers = append(image.Layers, described)
		image.Notes = append(image.Notes, layer.Notes...)
	}
	release := s.release()
	image.OS = release.os()
	image.Packages = append(image.Packages, s.packages()...)
	ecosystem := release.ecosystem()
	for i := range image.Packages {
		p := &image.Packages[i]
		p.Ecosystem = ecosystem.of(*p)
		p.PURL = purl(*p, release)
	}
	markOwned(image.Packages, s, layers, release.id())
	image.Notes = append(image.Notes, gaps(image, ecosystem)...)
	if windows && image.OS.ID == "" {
		Windows(&image, "")
	}
	slices.SortFunc(image.Packages, inventory.Compare)
	return image
}

// osPackage tells whether the type is that of a distribution's packages.
func osPackage(kind string) bool {
	switch kind {
	case "deb", "apk", "rpm", "alpm", "ebuild":
		return true
	default:
		return false
	}
}
