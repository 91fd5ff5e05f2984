package harness

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is an OCI image for linux/amd64 with the root file system as its only
// layer.
func (r Rootfs) Image(tb testing.TB) v1.Image {
	tb.Helper()
	layer, err := tarball.LayerFromFile(r.Layer, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		tb.Fatalf("read layer: %v", err)
	}
	return Append(tb, scratch(tb), layer, "debootstrap --variant=minbase bookworm")
}

// scratch is an OCI image for linux/amd64 without layers.
func scratch(tb testing.TB) v1.Image {
	tb.Helper()
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err := mutate.ConfigFile(base, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Cmd: []string{"/bin/sh"}},
	})
	if err != nil {
		tb.Fatalf("image configuration: %v", err)
	}
	return base
}

// Append puts one more layer on an image, with the instruction that made it.
func Append(tb testing.TB, base v1.Image, layer v1.Layer, createdBy string) v1.Image {
	tb.Helper()
	image, err := mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{CreatedBy: createdBy, Created: v1.Time{Time: time.Unix(1700000000, 0).UTC()}},
	})
	if err != nil {
		tb.Fatalf("append layer: %v", err)
	}
	return image
}

// Files is a layer of regular files, by their names without a leading slash.
func Files(tb testing.TB, files map[string]string) v1.Layer {
	tb.Helper()
	var buf bytes.Buffer
	archive := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name]))}
		if err := archive.WriteHeader(&header); err != nil {
			tb.Fatalf("layer entry %s: %v", name, err)
		}
		if _, err := io.WriteString(archive, files[name]); err != nil {
			tb.Fatalf("layer file %s: %v", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		tb.Fatalf("layer: %v", err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buf.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		tb.Fatalf("layer: %v", err)
	}
	return layer
}
