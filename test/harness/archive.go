package harness

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// archive packs a folder as a layer: a gzip'ed tar file with the entries in
// the order of their names, so that the same folder gives the same digest.
func archive(root, file string) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("create layer: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("gzip layer: %w", err)
	}
	a := archiver{root: root, tar: tar.NewWriter(zip), seen: map[uint64]string{}}
	if err := filepath.WalkDir(root, a.add); err != nil {
		return err
	}
	if err := errors.Join(a.tar.Close(), zip.Close()); err != nil {
		return fmt.Errorf("finish layer: %w", err)
	}
	return nil
}

type archiver struct {
	root string
	tar  *tar.Writer
	seen map[uint64]string // first name of every inode that has several
}

func (a *archiver) add(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return fmt.Errorf("read folder: %w", err)
	}
	name, err := filepath.Rel(a.root, path)
	if err != nil {
		return fmt.Errorf("name of %s: %w", path, err)
	}
	info, err := entry.Info()
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	if name == "." || info.Mode()&(fs.ModeDevice|fs.ModeSocket|fs.ModeNamedPipe) != 0 {
		return nil // a runtime makes its own /dev
	}
	header, err := a.header(path, name, info)
	if err != nil {
		return err
	}
	if err := a.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("write entry %s: %w", name, err)
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	return a.content(path)
}

func (a *archiver) header(path, name string, info fs.FileInfo) (*tar.Header, error) {
	var target string
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if target, err = os.Readlink(path); err != nil {
			return nil, fmt.Errorf("read link: %w", err)
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", name, err)
	}
	header.Name = name
	if info.IsDir() {
		header.Name += "/"
	}
	header.ModTime = header.ModTime.Truncate(time.Second)
	header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
	header.Uname, header.Gname = "", "" // names of this machine's users, not the image's
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode().IsRegular() && stat.Nlink > 1 {
		if first, again := a.seen[stat.Ino]; again {
			header.Typeflag, header.Linkname, header.Size = tar.TypeLink, first, 0
		} else {
			a.seen[stat.Ino] = name
		}
	}
	return header, nil
}

func (a *archiver) content(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(a.tar, f); err != nil {
		return fmt.Errorf("pack %s: %w", path, err)
	}
	return nil
}
