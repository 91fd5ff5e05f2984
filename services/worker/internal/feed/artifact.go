package feed

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/landwaiter/landwaiter/services/internal/agent"
)

// scheme begins the name of an artifact in an OCI registry.
const scheme = "oci://"

func artifact(source string) bool { return strings.HasPrefix(source, scheme) }

// Limits of an artifact.
const (
	artifactTime = time.Hour
	artifactMost = 8 << 30 // bytes of all layers
	layersMost   = 1000
	entriesMost  = 100_000 // of a tar
)

// titled is the annotation that names a layer's file, as ORAS and others write
// it.
const titled = "org.opencontainers.image.title"

// pull makes dir what an artifact holds: each layer is an ecosystem's zip, with
// Ecosystem/all.zip as its title, or a tar of a directory in OSV export layout,
// plain, gzip or zstd. Every layer is verified by its digest. Credentials are
// those of the docker configuration, if there is one.
func pull(ctx context.Context, source, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, artifactTime)
	defer cancel()
	ref, err := name.ParseReference(strings.TrimPrefix(source, scheme))
	if err != nil {
		return fmt.Errorf("advisories: %w", err)
	}
	if err := pullNew(ctx, ref, dir); err != nil {
		return fmt.Errorf("fetch advisories of %s: %w", source, err)
	}
	return nil
}

// pullNew replaces dir, unless it holds the artifact already.
func pullNew(ctx context.Context, ref name.Reference, dir string) error {
	transport, ok := remote.DefaultTransport.(*http.Transport)
	if !ok {
		return errors.New("no transport")
	}
	transport = transport.Clone()
	transport.ResponseHeaderTimeout = time.Minute
	defer transport.CloseIdleConnections()
	img, err := remote.Image(ref, remote.WithContext(ctx), remote.WithTransport(transport),
		remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent(agent.UserAgent()))
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	if held, err := os.ReadFile(filepath.Join(dir, ".digest")); err == nil && string(held) == digest.String() { //nolint:gosec // a file of this package's folder
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "artifact-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(fresh) }() // gone already when all went well
	if err := unpack(ctx, img, fresh); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(fresh, ".digest"), []byte(digest.String()), 0o600), os.RemoveAll(dir), os.Rename(fresh, dir))
}

// unpack writes what the layers hold.
func unpack(ctx context.Context, img v1.Image, dir string) error {
	manifest, err := img.Manifest()
	if err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	if len(layers) != len(manifest.Layers) || len(layers) > layersMost {
		return fmt.Errorf("%d layers", len(layers))
	}
	left := int64(artifactMost)
	for i, l := range layers {
		desc := manifest.Layers[i]
		if left -= desc.Size; desc.Size < 0 || left < 0 {
			return fmt.Errorf("%w: more than %d bytes", errTooLarge, int64(artifactMost))
		}
		if err := unpackLayer(ctx, l, desc.Annotations[titled], dir); err != nil {
			return fmt.Errorf("layer %s: %w", desc.Digest, err)
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "all.zip"))
	if err == nil && len(found) == 0 {
		err = errors.New("it holds no Ecosystem/all.zip")
	}
	return err
}

// unpackLayer takes a layer for what its first bytes say it is. It is read to
// its end, where its digest is verified.
func unpackLayer(ctx context.Context, l v1.Layer, title, dir string) (err error) {
	blob, err := l.Compressed()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	in := bufio.NewReaderSize(blob, 64<<10)
	head, err := in.Peek(4)
	if err != nil {
		return err
	}
	var plain io.Reader = in
	switch {
	case string(head[:2]) == "PK":
		if err := keepZip(ctx, in, dir, title); err != nil {
			return err
		}
		return rest(in)
	case string(head[:2]) == "\x1f\x8b":
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		plain = z
	case string(head) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return err
		}
		defer z.Close()
		plain = z
	}
	if err := untar(ctx, plain, dir); err != nil {
		return err
	}
	return rest(in)
}

// rest reads what is left of a blob.
func rest(in io.Reader) error {
	_, err := io.Copy(io.Discard, io.LimitReader(in, artifactMost))
	return err
}

// untar keeps the zips of ecosystems and leaves out everything else.
func untar(ctx context.Context, in io.Reader, dir string) error {
	archive := tar.NewReader(io.LimitReader(in, artifactMost))
	for range entriesMost {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("neither a zip nor a tar: %w", err)
		}
		if h.Typeflag != tar.TypeReg || ecosystemOf(h.Name) == "" {
			continue
		}
		if err := keepZip(ctx, archive, dir, h.Name); err != nil {
			return err
		}
	}
	return fmt.Errorf("more than %d entries", entriesMost)
}

// ecosystemOf gives the ecosystem whose zip a path names; blank: none.
func ecosystemOf(file string) string {
	folder, base := path.Split(path.Clean("/" + file))
	eco := path.Base(folder)
	if base != "all.zip" || path.Dir(path.Clean(folder)) != "/" || eco == "/" || strings.HasPrefix(eco, ".") || strings.ContainsAny(eco, "\\:") {
		return ""
	}
	return eco
}

// keepZip writes and verifies one ecosystem's zip.
func keepZip(ctx context.Context, in io.Reader, dir, file string) (err error) {
	eco := ecosystemOf(file)
	if eco == "" {
		return fmt.Errorf("%q is no title of a zip: want Ecosystem/all.zip in the annotation %s", file, titled)
	}
	target := filepath.Join(dir, eco, "all.zip")
	if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
		return err
	}
	out, err := os.Create(target) //nolint:gosec // a name that was checked, in this package's folder
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, zipMost+1))
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if n > zipMost {
		return fmt.Errorf("%w: %s has more than %d bytes", errTooLarge, file, int64(zipMost))
	}
	return verifyZip(ctx, target)
}
