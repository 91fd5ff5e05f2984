package layers

import (
	"container/list"
	"sync"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// recentMost is how many bytes of decoded inventories are kept: the layers of
// the few bases that most images of a registry have.
const recentMost = 8 << 20

// recent keeps the inventories that were asked for last, by the object that
// holds them. Whoever gets one must not change it.
type recent struct {
	mu     sync.Mutex
	weight int
	order  list.List // of kept, the one asked for last in front
	of     map[events.Digest]*list.Element
}

type kept struct {
	object events.Digest
	layer  inventory.Layer
	weight int
}

func (r *recent) get(object events.Digest) (inventory.Layer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.of[object]
	if !ok {
		return inventory.Layer{}, false
	}
	r.order.MoveToFront(e)
	return e.Value.(kept).layer, true //nolint:forcetypeassert // nothing else is in it
}

// add keeps an inventory, unless it alone would push out most others.
func (r *recent) add(object events.Digest, l inventory.Layer) {
	k := kept{object, l, weight(l)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.of[object]; ok || k.weight > recentMost/4 {
		return
	}
	if r.of == nil {
		r.of = map[events.Digest]*list.Element{}
	}
	r.of[object] = r.order.PushFront(k)
	r.weight += k.weight
	for r.weight > recentMost {
		oldest := r.order.Remove(r.order.Back()).(kept) //nolint:forcetypeassert // nothing else is in it
		delete(r.of, oldest.object)
		r.weight -= oldest.weight
	}
}

// weight is about how many bytes an inventory takes in memory.
func weight(l inventory.Layer) int {
	const entry = 512 // a package with its texts, and everything else that has a few
	n := 8*(len(l.Paths)+len(l.Dirs)) + entry*(1+len(l.Packages)+len(l.Notes)+len(l.Links)+len(l.Fingerprints))
	for _, o := range l.Owners {
		n += entry + 8*len(o.Files)
	}
	for _, texts := range [][]string{l.Whiteouts, l.Opaques, l.Databases} {
		for _, text := range texts {
			n += 16 + len(text)
		}
	}
	for _, release := range l.Releases {
		n += entry + len(release.Content)
	}
	return n
}
