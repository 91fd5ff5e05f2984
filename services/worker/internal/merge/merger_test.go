package merge_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/merge"
)

// TestMergerOrder: layers become known in any order, as they are read side by
// side, and lie over each other in theirs.
func TestMergerOrder(t *testing.T) {
	layers := read(t,
		[]entry{osRelease(debian), stanzas(dpkg, "a=1", "b=1")},
		[]entry{npm("opt", "x", "1"), npm("opt", "y", "1")},
		[]entry{stanzas(dpkg, "a=2"), {Name: "opt/node_modules/.wh.y"}},
		[]entry{npm("opt", "y", "2")},
	)
	history := []verdict.Layer{{CreatedBy: "first"}, {Index: 1, CreatedBy: "second"}}
	want := merge.Merge("e", layers, history)
	if len(want.Packages) != 3 {
		t.Fatalf("got %v", at(want))
	}
	t.Run("reversed", func(t *testing.T) {
		m := merge.New("e", history)
		for i := range layers {
			last := len(layers) - 1 - i
			m.Add(last, layers[last])
		}
		if diff := cmp.Diff(want, m.Image()); diff != "" {
			t.Errorf("image differs (-in order +reversed):\n%s", diff)
		}
	})
	t.Run("at once", func(t *testing.T) {
		m := merge.New("e", history)
		var adding sync.WaitGroup
		for i, layer := range layers {
			adding.Go(func() { m.Add(i, layer) })
		}
		adding.Wait()
		if diff := cmp.Diff(want, m.Image()); diff != "" {
			t.Errorf("image differs (-in order +at once):\n%s", diff)
		}
	})
}
