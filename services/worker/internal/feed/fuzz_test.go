package feed

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// FuzzArtifact unpacks a layer of an artifact with advisories: nothing is
// written but zips of ecosystems, one folder below.
func FuzzArtifact(f *testing.F) {
	var archive bytes.Buffer
	z, t := zip.NewWriter(&archive), tar.NewWriter(&archive)
	w, err := z.Create("A-1.json")
	if err == nil {
		_, err = w.Write([]byte("{}"))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		f.Fatal(err)
	}
	whole := archive.String()
	archive.Reset()
	err = t.WriteHeader(&tar.Header{Name: "npm/all.zip", Mode: 0o600, Size: int64(len(whole))})
	if err == nil {
		_, err = t.Write([]byte(whole))
	}
	if err := errors.Join(err, t.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(whole), "Go/all.zip")
	f.Add([]byte("PK\x05\x06"+string(make([]byte, 18))), "npm/all.zip")
	f.Add(archive.Bytes(), "../npm/all.zip")
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), "")
	f.Add([]byte("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00"), "")
	f.Fuzz(func(t *testing.T, blob []byte, title string) {
		top := t.TempDir()
		dir := filepath.Join(top, "fresh")
		_ = unpackLayer(t.Context(), static.NewLayer(blob, types.OCILayer), title, dir) // an error is as good
		err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (filepath.Dir(filepath.Dir(path)) != dir || filepath.Base(path) != "all.zip") {
				t.Errorf("title %q: wrote %s", title, strings.TrimPrefix(path, top))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzMemory reads what is remembered of a copy: rubbish is as good as none.
func FuzzMemory(f *testing.F) {
	f.Add([]byte(`{"zipAt":"2026-01-01T00:00:00Z","newer":{"A":"2026-01-01T00:00:00Z"}}`))
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "all.zip"), nil, 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, "memory.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := shelf{dir: dir}
		s.memory = s.remembered()
		s.changed([]modified{{id: "A"}})
	})
}
