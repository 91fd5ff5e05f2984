package merge_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/merge"
)

// unpacker makes a layer of random entries and unpacks it the way runtimes with
// an overlay file system do: into a folder of its own, where the kernel follows
// the links that are there.
type unpacker struct {
	root    *os.Root
	random  *rand.Rand
	entries []entry
}

// step adds an entry, unless something of the layer is there already or the
// path leads nowhere: what then happens depends on the runtime.
func (u *unpacker) step() error {
	pick := func(from ...string) string { return from[u.random.IntN(len(from))] }
	dir := pick("a", "b", "l", "a/c", "a/l", "l/c", "b/l")
	e := entry{Name: dir + "/node_modules/" + pick("x", "y") + "/package.json"}
	switch u.random.IntN(8) {
	case 0, 1, 2, 3:
		e.Content = fmt.Sprintf(`{"name":"p","version":"%d"}`, u.random.IntN(1e6))
	case 4:
		e = entry{Name: pick("l", "a/l", "b/l", "b", "a/c"), Type: tar.TypeSymlink, Link: pick("a", "b", "../b", "c", "../a/c", "./x/../c")}
	case 5:
		e = entry{Name: path.Dir(dir) + "/.wh." + path.Base(dir)}
	case 6:
		e = entry{Name: path.Dir(e.Name) + "/.wh.package.json"}
	case 7:
		e = entry{Name: dir + "/.wh..wh..opq"}
	}
	if made := u.root.MkdirAll(path.Dir(e.Name), 0o700) == nil; !made { // a file is in the way
		return nil
	}
	if _, err := u.root.Lstat(e.Name); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	u.entries = append(u.entries, e)
	if e.Type == tar.TypeSymlink {
		return u.root.Symlink(e.Link, e.Name)
	}
	return u.root.WriteFile(e.Name, []byte(e.Content), 0o600)
}

// lay lays what was unpacked over a tree, as an overlay file system does.
func lay(below tree, upper string) (tree, error) {
	result, own := maps.Clone(below), tree{}
	err := filepath.WalkDir(upper, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == upper {
			return err
		}
		name := strings.TrimPrefix(file, upper+"/")
		dir, base := path.Split(name)
		switch removed, isRemoved := strings.CutPrefix(base, ".wh."); {
		case base == ".wh..wh..opq":
			maps.DeleteFunc(result, func(other, _ string) bool { return strings.HasPrefix(other, dir) })
		case isRemoved:
			result.remove(dir + removed)
		case d.IsDir():
			own[name] = "/"
		case d.Type().IsRegular():
			content, err := os.ReadFile(file)
			own[name] = string(content)
			return err
		default:
			own[name] = "."
		}
		return nil
	})
	for name, holds := range own {
		if holds != "/" || result[name] != "/" {
			result.remove(name)
		}
	}
	maps.Copy(result, own)
	return result, err
}

// FuzzOverlay holds random images with symbolic links against what a file
// system makes of them.
func FuzzOverlay(f *testing.F) {
	for seed := range uint64(80) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 5))
		var layers [][]entry
		root := tree{}
		for range 2 + random.IntN(3) {
			upper := t.TempDir()
			dir, err := os.OpenRoot(upper)
			if err != nil {
				t.Fatal(err)
			}
			u := unpacker{root: dir, random: random}
			for range 2 + random.IntN(8) {
				err = errors.Join(err, u.step())
			}
			if err := errors.Join(err, dir.Close()); err != nil {
				t.Fatal(err)
			}
			if root, err = lay(root, upper); err != nil {
				t.Fatal(err)
			}
			layers = append(layers, u.entries)
		}
		for _, p := range merge.Merge("e", read(t, layers...), nil).Packages {
			if want := `{"name":"p","version":"` + p.Version + `"}`; root[p.Location] != want {
				t.Errorf("layers %v: found %s at %s, where there is %q", layers, p.Version, p.Location, root[p.Location])
			}
			delete(root, p.Location)
		}
		for name, holds := range root {
			if strings.HasPrefix(holds, "{") {
				t.Errorf("layers %v: not found: %s at %s", layers, holds, name)
			}
		}
	})
}
