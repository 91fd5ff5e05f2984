package scan

import (
	"sync"

	"github.com/landwaiter/landwaiter/events"
)

// Progress is how far the layers of one image have been read. A layer whose
// inventory was there already counts as read.
type Progress struct {
	Image  events.Digest
	Read   int64 // compressed bytes
	Total  int64 // compressed bytes, as the manifest says
	Layers int   // layers done
	Of     int   // layers in all
}

// Meter adds up the progress of an image whose layers are read side by side.
type Meter struct {
	tell func(Progress)
	mu   sync.Mutex
	now  Progress
	read []int64
}

// NewMeter returns a meter for an image with layers of these compressed sizes.
// tell is called on the goroutines that read, one call at a time, and should
// be quick; nil: nothing is told.
func NewMeter(image events.Digest, sizes []int64, tell func(Progress)) *Meter {
	m := &Meter{tell: tell, now: Progress{Image: image, Of: len(sizes)}, read: make([]int64, len(sizes))}
	for _, n := range sizes {
		m.now.Total += n
	}
	return m
}

// Read tells that so many bytes of a layer were read so far.
func (m *Meter) Read(layer int, bytes int64) {
	if m.tell == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(layer, bytes)
	m.tell(m.now)
}

// Done tells that a layer of this size is finished.
func (m *Meter) Done(layer int, size int64) {
	if m.tell == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(layer, size)
	m.now.Layers++
	m.tell(m.now)
}

func (m *Meter) set(layer int, bytes int64) {
	m.now.Read += bytes - m.read[layer]
	m.read[layer] = bytes
}
