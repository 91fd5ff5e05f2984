package harness

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"
)

// tree is what there is below a folder at one moment, by the paths in it.
type tree map[string]stamp

// stamp changes when a file is written, replaced or gets another mode or owner.
// That of a folder changes when something in it comes or goes.
type stamp struct {
	inode   uint64
	changed syscall.Timespec
	dir     bool
}

func look(root string) (tree, error) {
	t := tree{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("no stat of %s", name)
		}
		t[name] = stamp{stat.Ino, stat.Ctim, entry.IsDir()}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", root, err)
	}
	return t, nil
}

// Marks of what a layer removes, as the OCI image specification has them.
const (
	whiteoutMark = ".wh."
	opaqueMark   = ".wh..wh..opq"
)

// whiteouts are the marks that hide what was there before and is no more: one
// for a folder that is gone with all that was in it, and where all of a folder
// is gone but the folder, the one that makes it opaque.
func (before tree) whiteouts(after tree) []string {
	left := map[string]int{} // of what was in a folder
	for name := range before {
		if _, ok := after[name]; ok {
			left[filepath.Dir(name)]++
		}
	}
	marks := map[string]bool{}
	for name := range before {
		dir := filepath.Dir(name)
		_, stays := after[name]
		if stays || dir != "." && !after[dir].dir {
			continue // something above it is gone, or no folder any more
		}
		if left[dir] == 0 {
			marks[filepath.Join(dir, opaqueMark)] = true
		} else {
			marks[filepath.Join(dir, whiteoutMark+filepath.Base(name))] = true
		}
	}
	return slices.Sorted(maps.Keys(marks))
}

// difference packs what makes one state of a folder, which it is in now, of
// another as a layer.
func difference(root, file string, before, after tree) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("create layer: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	zip, err := gzip.NewWriterLevel(out, gzip.DefaultCompression)
	if err != nil {
		return fmt.Errorf("gzip layer: %w", err)
	}
	a := archiver{root: root, tar: tar.NewWriter(zip), seen: map[uint64]string{}}
	for _, mark := range before.whiteouts(after) {
		if err := a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: mark, Mode: 0o600}); err != nil {
			return fmt.Errorf("write mark %s: %w", mark, err)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(after), byFolder) {
		if before[name] == after[name] {
			continue
		}
		path := filepath.Join(root, name)
		info, err := os.Lstat(path)
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
		if err := a.add(path, fs.FileInfoToDirEntry(info), nil); err != nil {
			return err
		}
	}
	if err := errors.Join(a.tar.Close(), zip.Close()); err != nil {
		return fmt.Errorf("finish layer: %w", err)
	}
	return nil
}

// byFolder is the order in which a folder comes right before what is in it.
func byFolder(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}
