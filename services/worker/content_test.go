package worker

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/landwaiter/landwaiter/events"
)

func digestOf(tb testing.TB, img interface{ Digest() (v1.Hash, error) }) events.Digest {
	tb.Helper()
	h, err := img.Digest()
	if err != nil {
		tb.Fatal(err)
	}
	return events.Digest(h.String())
}

// files makes a layer of files.
func files(tb testing.TB, content map[string]string) v1.Layer {
	tb.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for path, body := range content {
		if err := errors.Join(
			w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg}),
			second(io.WriteString(w, body)),
		); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil })
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func second(_ int, err error) error { return err }

// image makes a linux/amd64 image of layers.
func image(tb testing.TB, layers ...v1.Layer) v1.Image {
	tb.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", Created: v1.Time{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err == nil {
		adds := make([]mutate.Addendum, 0, len(layers))
		for i, l := range layers {
			adds = append(adds, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: fmt.Sprintf("step %d", i)}})
		}
		img, err = mutate.Append(img, adds...)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// of gives an image another platform.
func of(t *testing.T, img v1.Image, os, arch string) v1.Image {
	t.Helper()
	cfg, err := img.ConfigFile()
	if err == nil {
		cfg = cfg.DeepCopy()
		cfg.OS, cfg.Architecture = os, arch
		img, err = mutate.ConfigFile(img, cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// made gives an image a date of creation.
func made(t *testing.T, img v1.Image, at time.Time) v1.Image {
	t.Helper()
	img, err := mutate.CreatedAt(img, v1.Time{Time: at})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// raw is a blob that is pushed as a layer, whatever is in it.
func raw(content []byte, mediaType types.MediaType) v1.Layer {
	return static.NewLayer(content, mediaType)
}

// zlib is a layer with a Debian 12 that has zlib in a version and nothing else.
func zlib(tb testing.TB, version string) v1.Layer {
	tb.Helper()
	return files(tb, map[string]string{
		"etc/os-release":      "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
		"var/lib/dpkg/status": "Package: zlib\nStatus: install ok installed\nArchitecture: amd64\nVersion: " + version + "\nMaintainer: Debian <d@debian.org>\n\n",
	})
}

// advisories writes an export that says zlib is fixed in a version.
func advisories(t *testing.T, id, fixed string) string {
	t.Helper()
	dir := t.TempDir()
	record := fmt.Sprintf(`{"schema_version":"1.7.0","id":"DEBIAN-%s","modified":"2026-01-01T00:00:00Z","upstream":[%q],
		"affected":[{"package":{"ecosystem":"Debian:12","name":"zlib"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`,
		id, id, fixed)
	if err := os.MkdirAll(filepath.Join(dir, "Debian"), 0o750); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.Create("DEBIAN-" + id + ".json")
	if err == nil {
		err = errors.Join(second(io.WriteString(w, record)), z.Close(),
			os.WriteFile(filepath.Join(dir, "Debian", "all.zip"), buf.Bytes(), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func linux(arch string) *v1.Platform { return &v1.Platform{OS: "linux", Architecture: arch} }
