package merge_test

import (
	"archive/tar"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/merge"
)

// tree is a root file system as a runtime makes it: by path, what a file holds.
// A file with a package holds its version and the file's number, which hard links
// share; directories hold a slash, everything else a dot.
type tree map[string]string

func (t tree) remove(name string) {
	maps.DeleteFunc(t, func(p, _ string) bool { return p == name || strings.HasPrefix(p, name+"/") })
}

// builder makes a layer of random entries and lays it over a tree the way
// container runtimes do: first what it removes from below, then what it has.
type builder struct {
	random  *rand.Rand
	below   tree // before the layer
	tree    tree
	entries []entry
	touched map[string]bool // by this layer, and not again
	links   map[string]bool // symbolic ones of this layer
	files   *int            // numbered so far
}

func parents(name string) (all []string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		all = append(all, dir)
	}
	slices.Reverse(all)
	return all
}

// free tells whether the layer has nothing at, above or below the path that
// would make the order of entries matter.
func (b *builder) free(name string) bool {
	for other, folder := range b.touched {
		if other == name || strings.HasPrefix(other, name+"/") || !folder && strings.HasPrefix(name, other+"/") {
			return false
		}
	}
	return true
}

func (b *builder) folders(name string) {
	for _, dir := range parents(name) {
		if b.tree[dir] != "/" {
			b.tree.remove(dir)
		}
		b.tree[dir] = "/"
		b.touched[dir] = true
		b.entries = append(b.entries, entry{Name: dir + "/"})
	}
}

func (b *builder) put(name, holds string, e entry) {
	b.folders(name)
	b.tree.remove(name)
	b.tree[name], b.touched[name] = holds, false
	b.entries = append(b.entries, e)
}

// whiteout removes something, but not through a link of this layer: containerd
// removes it where the link leads, Docker does not unpack some of these.
// FuzzOverlay has links.
func (b *builder) whiteout(name string) {
	for _, dir := range parents(name) {
		if b.links[dir] {
			return
		}
	}
	b.entries = append(b.entries, entry{Name: name})
}

func (b *builder) step() {
	leaf := func() string {
		return []string{"a", "a/b", "c"}[b.random.IntN(3)] + "/node_modules/" + []string{"x", "y"}[b.random.IntN(2)] + "/package.json"
	}
	name := leaf()
	above := parents(name)
	dir := above[b.random.IntN(len(above))]
	switch b.random.IntN(8) {
	case 0, 1, 2:
		if b.free(name) {
			version := strconv.Itoa(b.random.IntN(3))
			*b.files++
			b.put(name, fmt.Sprintf("p@%s file %d", version, *b.files), entry{Name: name, Content: `{"name":"p","version":"` + version + `"}`})
		}
	case 3: // no package, at the place of one or of a folder
		at := []string{name, dir}[b.random.IntN(2)]
		if b.free(at) {
			kind := []byte{tar.TypeReg, tar.TypeSymlink, tar.TypeFifo}[b.random.IntN(3)]
			b.put(at, ".", entry{Name: at, Type: kind, Link: map[byte]string{tar.TypeSymlink: "/c"}[kind]})
			b.links[at] = kind == tar.TypeSymlink
		}
	case 4:
		if at := []string{dir, name}[b.random.IntN(2)]; b.free(at) {
			b.folders(at + "/x")
		}
	case 5:
		at := []string{name, dir}[b.random.IntN(2)]
		b.whiteout(path.Join(path.Dir(at), ".wh."+path.Base(at)))
	case 6:
		b.whiteout(dir + "/.wh..wh..opq")
	case 7:
		target := leaf()
		holds, there := b.tree[target]
		if there && strings.HasPrefix(holds, "p@") && target != name && b.free(name) && b.free(target) {
			b.put(name, holds, entry{Name: name, Link: target})
			b.touched[target] = false
		}
	}
}

// finish lays the layer over what is below, now that all it removes is known.
func (b *builder) finish() tree {
	result := maps.Clone(b.below)
	for _, e := range b.entries {
		dir, base := path.Split(e.Name)
		switch name, removes := strings.CutPrefix(base, ".wh."); {
		case base == ".wh..wh..opq":
			dir = strings.TrimSuffix(dir, "/")
			holds, there := result[dir]
			result.remove(dir)
			if there {
				result[dir] = holds
			}
		case removes:
			result.remove(dir + name)
		}
	}
	for _, e := range b.entries {
		name := strings.TrimSuffix(e.Name, "/")
		if strings.HasPrefix(path.Base(name), ".wh.") {
			continue
		}
		if holds := b.tree[name]; holds != "/" || result[name] != "/" {
			result.remove(name)
			result[name] = holds
		}
	}
	return result
}

// FuzzMerge holds random images against a simple model of how a runtime
// unpacks them.
func FuzzMerge(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		layers, root := randomImage(rand.New(rand.NewPCG(seed, 11)))
		names := map[string]bool{} // of files with a package
		for _, holds := range root {
			if strings.HasPrefix(holds, "p@") {
				names[holds] = true
			}
		}
		for _, p := range merge.Merge("e", read(t, layers...), nil).Packages {
			holds := root[p.Location]
			if !strings.HasPrefix(holds, "p@"+p.Version+" ") || !names[holds] {
				t.Errorf("layers %v: found %s at %s, where there is %q", layers, p.Version, p.Location, holds)
			}
			delete(names, holds)
		}
		if len(names) > 0 {
			t.Errorf("layers %v: not found: %v", layers, names)
		}
	})
}

func randomImage(random *rand.Rand) (layers [][]entry, root tree) {
	files := 0
	for range 2 + random.IntN(4) {
		b := builder{random: random, below: root, tree: maps.Clone(root), touched: map[string]bool{}, links: map[string]bool{}, files: &files}
		if root == nil {
			b.below, b.tree = tree{}, tree{}
		}
		for range 1 + random.IntN(8) {
			b.step()
		}
		root = b.finish()
		layers = append(layers, b.entries)
	}
	return layers, root
}
