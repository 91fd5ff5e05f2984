package bench

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/landwaiter/landwaiter/test/harness"
)

// packages make the image worth reading: interpreters with their libraries.
var packages = []string{"curl", "nodejs", "python3"}

// layers is how many layers the root file system is cut into.
const layers = 4

// compression makes layers of one media type.
type compression struct {
	name  string
	media types.MediaType
	level string
	to    func(io.Writer) (io.WriteCloser, error)
}

func compressions() []compression {
	return []compression{
		{"gzip", types.OCILayer, "level 6", func(w io.Writer) (io.WriteCloser, error) {
			return gzip.NewWriterLevel(w, 6)
		}},
		{"zstd", types.OCILayerZStd, "level 3", func(w io.Writer) (io.WriteCloser, error) {
			return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault))
		}},
	}
}

// size is what an image weighs, in bytes.
type size struct{ compressed, inflated int64 }

// debian is a real root file system, cut into layers where it lies in the order
// of its names: merged, they are what debootstrap made.
func debian(b *testing.B, c compression) (v1.Image, size) {
	b.Helper()
	file, err := os.Open(harness.Debian(b, packages...).Layer)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	plain, err := kgzip.NewReader(file)
	if err != nil {
		b.Fatal(err)
	}
	archive, err := io.ReadAll(plain)
	if err != nil {
		b.Fatal(err)
	}
	blobs, err := cut(archive, c)
	if err != nil {
		b.Fatal(err)
	}
	s := size{inflated: int64(len(archive))}
	image := base(b)
	for _, blob := range blobs {
		s.compressed += int64(len(blob))
		image = add(b, image, static.NewLayer(blob, c.media))
	}
	return image, s
}

// cut makes layers of about the same size from one archive.
func cut(archive []byte, c compression) ([][]byte, error) {
	in := tar.NewReader(bytes.NewReader(archive))
	var blobs [][]byte
	for {
		blob, more, err := piece(in, int64(len(archive)/layers), c)
		if err != nil {
			return nil, err
		}
		blobs = append(blobs, blob)
		if !more {
			return blobs, nil
		}
	}
}

func piece(in *tar.Reader, most int64, c compression) (blob []byte, more bool, err error) {
	var buf bytes.Buffer
	squeezed, err := c.to(&buf)
	if err != nil {
		return nil, false, err
	}
	out := tar.NewWriter(squeezed)
	more = true
	for written := int64(0); written < most; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			more = false
			break
		}
		if err != nil {
			return nil, false, fmt.Errorf("read entry: %w", err)
		}
		if err := out.WriteHeader(header); err != nil {
			return nil, false, fmt.Errorf("write entry: %w", err)
		}
		n, err := io.Copy(out, in)
		if err != nil {
			return nil, false, fmt.Errorf("copy file: %w", err)
		}
		const block = 512
		written += n + block
	}
	err = errors.Join(out.Close(), squeezed.Close())
	return buf.Bytes(), more, err
}

func base(b *testing.B) v1.Image {
	b.Helper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		b.Fatal(err)
	}
	return image
}

func add(b *testing.B, image v1.Image, layer v1.Layer) v1.Image {
	b.Helper()
	image, err := mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "bench"}})
	if err != nil {
		b.Fatal(err)
	}
	return image
}

// variant is the same image with another configuration: another digest over the
// same layers.
func variant(b *testing.B, image v1.Image, i int) v1.Image {
	b.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		b.Fatal(err)
	}
	config = config.DeepCopy()
	config.Config.Env = append(config.Config.Env, fmt.Sprintf("VARIANT=%d", i))
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		b.Fatal(err)
	}
	return image
}

// bomb is an image whose one layer of 3 MB inflates to 3 GiB of zeros: a gzip
// file may have many members, so most of it is made once.
func bomb(b *testing.B) v1.Image {
	b.Helper()
	const members, member = 96, 32 << 20
	blob := bytes.Join([][]byte{
		squeeze(b, fileHeader(b, members*member)),
		bytes.Repeat(squeeze(b, make([]byte, member)), members),
		squeeze(b, make([]byte, 1024)),
	}, nil)
	return add(b, base(b), static.NewLayer(blob, types.OCILayer))
}

func squeeze(b *testing.B, data []byte) []byte {
	b.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(data); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return buf.Bytes()
}

// fileHeader is what stands before an executable's content in an archive.
func fileHeader(b *testing.B, size int64) []byte {
	b.Helper()
	var buf bytes.Buffer
	if err := tar.NewWriter(&buf).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: "usr/bin/bomb", Mode: 0o755, Size: size,
	}); err != nil {
		b.Fatal(err)
	}
	return buf.Bytes()
}
