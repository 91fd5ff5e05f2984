package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// most is the largest document read from files: manifests and configurations
// are smaller.
const most = 8 << 20

// files are the files of an OCI image layout, wherever they lie.
type files interface {
	// Open opens the file of a name with slashes.
	Open(name string) (io.ReadCloser, error)
	Close() error
}

// layout reads an OCI image layout as if it were a registry.
type layout struct{ files }

// folder is a layout unpacked on disk. Nothing outside of it is read.
type folder struct{ *os.Root }

// Open implements files.
func (f folder) Open(name string) (io.ReadCloser, error) { return f.Root.Open(name) }

// openLayout opens the image in a directory.
func openLayout(ctx context.Context, dir, platform string) (image, error) {
	dir, wanted, err := pinned(dir)
	if err != nil {
		return image{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return image{}, fmt.Errorf("open OCI layout: %w", err)
	}
	return layoutImage(ctx, layout{folder{root}}, dir, wanted, platform)
}

// openArchive opens the image in a tar file that holds a layout.
func openArchive(ctx context.Context, path, platform string) (image, error) {
	path, wanted, err := pinned(path)
	if err != nil {
		return image{}, err
	}
	a, err := openTar(path)
	if err != nil {
		return image{}, err
	}
	return layoutImage(ctx, layout{a}, path, wanted, platform)
}

// pinned cuts a digest off a path.
func pinned(path string) (string, events.Digest, error) {
	i := strings.LastIndex(path, "@sha256:")
	if i < 0 {
		return path, "", nil
	}
	d, err := events.ParseDigest(path[i+1:])
	if err != nil {
		return "", "", fmt.Errorf("image %s: %w", path, err)
	}
	return path[:i], d, nil
}

func layoutImage(ctx context.Context, l layout, path string, wanted events.Digest, platform string) (image, error) {
	img := image{
		repository: path,
		blob: func(_ context.Context, d events.Digest) (io.ReadCloser, error) {
			return l.Open(blobPath(string(d)))
		},
		close: l.Close,
	}
	err := error(nil)
	if wanted == "" {
		wanted, err = l.only(platform)
	}
	if err == nil {
		img.Image, err = resolve(ctx, l, "", wanted, platform)
	}
	if err != nil {
		return image{}, errors.Join(fmt.Errorf("read %s: %w", path, err), l.Close())
	}
	return img, nil
}

// only is the layout's one entry, or the one for the platform.
func (l layout) only(platform string) (events.Digest, error) {
	raw, err := l.read("index.json")
	if err != nil {
		return "", err
	}
	m, err := registry.Classify(raw, "application/vnd.oci.image.index.v1+json")
	if err != nil {
		return "", err
	}
	var entries []state.Child
	for _, c := range m.Children {
		d, err := events.ParseDigest(c.Digest)
		if err != nil {
			return "", fmt.Errorf("index.json: %w", err)
		}
		if !c.Attestation {
			entries = append(entries, state.Child{Digest: d, Platform: events.Platform(c.Platform)})
		}
	}
	entries = distinct(entries)
	switch len(entries) {
	case 0:
		return "", errors.New("index.json names no image")
	case 1:
		return entries[0].Digest, nil
	}
	d, err := choose(entries, platform)
	if err != nil {
		return "", fmt.Errorf("index.json names %d images, and none alone fits: name one behind the path, %s: %w", len(entries), listed(entries), err)
	}
	return d, nil
}

// Manifest implements plan.Content.
func (l layout) Manifest(_ context.Context, _, digest string) (raw []byte, mediaType string, err error) {
	raw, err = l.document(digest)
	return raw, "", err
}

// Config implements plan.Content.
func (l layout) Config(_ context.Context, _, digest string) ([]byte, error) {
	return l.document(digest)
}

// Host implements plan.Content.
func (layout) Host() string { return "" }

// document reads a blob that is small, and verifies it.
func (l layout) document(digest string) ([]byte, error) {
	raw, err := l.read(blobPath(digest))
	if err != nil {
		return nil, err
	}
	if got := state.DigestOf(raw); string(got) != digest {
		return nil, fmt.Errorf("blob %s: its content is %s", digest, got)
	}
	return raw, nil
}

func (l layout) read(name string) (raw []byte, err error) { return readFile(l.files, name) }

// readFile reads a document of at most 8 MiB.
func readFile(f files, name string) (raw []byte, err error) {
	r, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	raw, err = io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(raw) > most {
		return nil, fmt.Errorf("read %s: more than %d bytes", name, most)
	}
	return raw, nil
}

func blobPath(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }
