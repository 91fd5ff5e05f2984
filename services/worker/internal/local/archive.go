package local

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

const (
	// mostEntries bounds the table of an archive: one entry for each layer and
	// some documents.
	mostEntries = 100_000
	// mostLinks is how many links are followed to a file.
	mostLinks = 8
)

// archive is a tar file of which single files are read where they lie: nothing
// is unpacked.
type archive struct {
	file    *os.File
	entries map[string]entry
}

type entry struct {
	offset, size int64
	link         string // to another entry, where it is one
}

// openTar reads the table of a tar file: it skips over the contents.
func openTar(name string) (*archive, error) {
	f, err := os.Open(name) //nolint:gosec // the file the user asked for
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	a := &archive{file: f, entries: map[string]entry{}}
	if err := a.index(); err != nil {
		return nil, errors.Join(fmt.Errorf("open archive %s: %w", name, err), f.Close())
	}
	return a, nil
}

func (a *archive) index() error {
	var head [4]byte
	if n, _ := a.file.ReadAt(head[:], 0); compressed(head[:n]) {
		return errors.New("the archive as a whole is compressed; decompress it first")
	}
	r := tar.NewReader(a.file)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(a.entries) == mostEntries {
			return fmt.Errorf("more than %d entries", mostEntries)
		}
		name := path.Clean("/" + h.Name)[1:]
		switch h.Typeflag {
		case tar.TypeReg:
			// The header is read and nothing after it: the file stands where
			// the content begins.
			at, err := a.file.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			a.entries[name] = entry{offset: at, size: h.Size}
		case tar.TypeSymlink:
			// A key of the table, never a path on this machine.
			a.entries[name] = entry{link: path.Clean("/" + path.Join(path.Dir(name), h.Linkname))[1:]} //nolint:gosec // see above
		case tar.TypeLink:
			a.entries[name] = entry{link: path.Clean("/" + h.Linkname)[1:]}
		}
	}
}

// compressed knows gzip, zstd, xz and bzip2.
func compressed(head []byte) bool {
	for _, magic := range []string{"\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd7zX", "BZh"} {
		if strings.HasPrefix(string(head), magic) {
			return true
		}
	}
	return false
}

// find follows links to a file.
func (a *archive) find(name string) (entry, error) {
	at := name
	for range mostLinks {
		e, ok := a.entries[at]
		if !ok {
			return entry{}, fmt.Errorf("%s is not in the archive: %w", name, fs.ErrNotExist)
		}
		if e.link == "" {
			return e, nil
		}
		at = e.link
	}
	return entry{}, fmt.Errorf("%s in the archive is a link that leads nowhere", name)
}

// Open implements files. Several files may be read at once.
func (a *archive) Open(name string) (io.ReadCloser, error) {
	e, err := a.find(name)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(a.file, e.offset, e.size)), nil
}

// Close implements files.
func (a *archive) Close() error { return a.file.Close() }
