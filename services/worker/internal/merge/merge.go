// Package merge lays the inventories of an image's layers over each other, as
// a container runtime lays the layers, and says what is left to be seen.
package merge

import (
	"slices"
	"sync"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// Merge returns the inventory of the image made of the layers, lowest first.
// The history describes the same layers in the same order; layers it does not
// reach are described by their own digest and size. The result depends on
// nothing but the arguments.
func Merge(engine string, layers []inventory.Layer, history []verdict.Layer) inventory.Image {
	m := New(engine, history)
	for i, layer := range layers {
		m.Add(i, layer)
	}
	return m.Image()
}

// Merger makes an image's inventory while its layers are still read: what a
// higher layer hides is not kept until the last one is there.
type Merger struct {
	history []verdict.Layer

	mu      sync.Mutex
	early   map[int]inventory.Layer // those below are not all there
	state   *state
	paths   []inventory.Hashes // of each layer
	windows bool
	image   inventory.Image
}

// New returns a merger for the layers that the history describes: see Merge.
func New(engine string, history []verdict.Layer) *Merger {
	return &Merger{
		history: history, early: map[int]inventory.Layer{}, state: newState(),
		image: inventory.Image{Engine: engine, Layers: []verdict.Layer{}, Packages: []inventory.Package{}, Notes: []verdict.Note{}},
	}
}

// Add gives the layer of an index, each once and in any order. It may be called
// on several goroutines.
func (m *Merger) Add(index int, layer inventory.Layer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.early[index] = layer
	for next, ok := m.early[len(m.paths)]; ok; next, ok = m.early[len(m.paths)] {
		delete(m.early, len(m.paths))
		m.lay(next)
	}
}

func (m *Merger) lay(layer inventory.Layer) {
	i := len(m.paths)
	m.state.apply(i, layer)
	m.windows = m.windows || windowsLayer(layer)
	described := verdict.Layer{Index: i, Digest: layer.Digest, Size: layer.Size}
	if i < len(m.history) {
		described = m.history[i]
	}
	m.image.Layers = append(m.image.Layers, described)
	m.image.Notes = append(m.image.Notes, layer.Notes...)
	m.paths = append(m.paths, layer.Paths)
}

// Image is the inventory, to be asked for once, when all layers were given.
func (m *Merger) Image() inventory.Image {
	image, release := m.image, m.state.release()
	image.OS = release.os()
	image.Packages = append(image.Packages, m.state.packages()...)
	ecosystem := release.ecosystem()
	for i := range image.Packages {
		p := &image.Packages[i]
		p.Ecosystem = ecosystem.of(*p)
		p.PURL = purl(*p, release)
	}
	markOwned(image.Packages, m.state, m.paths, release.id())
	image.Notes = append(image.Notes, gaps(image, ecosystem)...)
	if m.windows && image.OS.ID == "" {
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
