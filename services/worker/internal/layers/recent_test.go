package layers

import (
	"strconv"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

func TestRecent(t *testing.T) {
	var r recent
	of := func(i int) inventory.Layer {
		return inventory.Layer{Digest: strconv.Itoa(i), Paths: make(inventory.Hashes, recentMost/8/10)}
	}
	name := func(i int) (string, bool) {
		l, ok := r.get(state.DigestOf([]byte(strconv.Itoa(i))))
		return l.Digest, ok
	}
	for i := range 20 {
		r.add(state.DigestOf([]byte(strconv.Itoa(i))), of(i))
		if got, ok := name(0); !ok || got != "0" {
			t.Fatalf("the one that is asked for again and again is gone after %d: %q", i, got)
		}
		if r.weight > recentMost || r.order.Len() != len(r.of) {
			t.Fatalf("%d bytes in %d and %d", r.weight, r.order.Len(), len(r.of))
		}
	}
	if _, ok := name(1); ok {
		t.Error("the one nobody asked for is still there")
	}
	if got, ok := name(19); !ok || got != "19" {
		t.Errorf("the last one is %q", got)
	}
	r.add(state.DigestOf([]byte("large")), inventory.Layer{Paths: make(inventory.Hashes, recentMost/8/3)})
	if _, ok := r.get(state.DigestOf([]byte("large"))); ok {
		t.Error("one that takes a third of the room is kept")
	}
}
