// Package layertest builds layers for tests.
package layertest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Entry is one entry of an archive. Without a type it is a file, or a hard or
// symbolic link if Link says so, or a directory if the name ends in a slash.
type Entry struct {
	Name    string
	Content string
	Mode    int64 // 0: 0644
	Type    byte
	Link    string // target of a hard link; of a symbolic one with Type tar.TypeSymlink
}

// Tar is the archive with the entries.
func Tar(tb testing.TB, entries ...Entry) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		header := &tar.Header{Name: e.Name, Mode: e.Mode, Typeflag: e.Type, Linkname: e.Link, Size: int64(len(e.Content))}
		if header.Mode == 0 {
			header.Mode = 0o644
		}
		switch {
		case e.Type != 0:
		case e.Link != "":
			header.Typeflag = tar.TypeLink
		case e.Name[len(e.Name)-1] == '/':
			header.Typeflag = tar.TypeDir
		default:
			header.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(header); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(e.Content)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// Gzip compresses at the level, each part as a member of its own.
func Gzip(tb testing.TB, level int, parts ...[]byte) []byte {
	tb.Helper()
	var buf bytes.Buffer
	for _, part := range parts {
		w, err := gzip.NewWriterLevel(&buf, level)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(part); err != nil {
			tb.Fatal(err)
		}
		if err := w.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return buf.Bytes()
}

// Zstd compresses into one frame.
func Zstd(tb testing.TB, data []byte) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

// Digest is the blob's digest.
func Digest(blob []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(blob)) }
