package local

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// savedImage is an entry of manifest.json as `docker save` writes it.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
	// LayerSources describes, by diff id, the layers of Windows that are to be
	// fetched from elsewhere and are not in the file.
	LayerSources map[string]struct{ URLs []string }
}

// openDocker opens the image in a file that `docker save` wrote. Such a file
// has no manifest: the image is named by its configuration's digest, and its
// layers, which are not compressed, by their diff ids.
func openDocker(path string) (image, error) {
	a, err := openTar(path)
	if err != nil {
		return image{}, err
	}
	img, err := dockerImage(a)
	if err != nil {
		return image{}, errors.Join(fmt.Errorf("read %s: %w", path, err), a.Close())
	}
	img.repository, img.close = path, a.Close
	return img, nil
}

func dockerImage(a *archive) (image, error) {
	saved, err := onlySaved(a)
	if err != nil {
		return image{}, err
	}
	raw, err := readFile(a, saved.Config)
	if err != nil {
		return image{}, err
	}
	cfg, err := registry.ParseConfig(raw)
	if err != nil {
		return image{}, err
	}
	if len(cfg.DiffIDs) != len(saved.Layers) {
		return image{}, fmt.Errorf("manifest.json names %d layers, the configuration %d", len(saved.Layers), len(cfg.DiffIDs))
	}
	img := image{
		Image: state.Image{
			Digest: state.DigestOf(raw), Platform: events.Platform(cfg.Platform), OSVersion: cfg.OSVersion, Created: cfg.Created,
		},
	}
	names := map[events.Digest]string{}
	for i, id := range cfg.DiffIDs {
		d := events.Digest(id)
		layer := state.ImageLayer{Descriptor: state.Descriptor{Digest: d}, CreatedBy: cfg.CreatedBy[i]}
		e, err := a.find(saved.Layers[i])
		switch {
		case err == nil:
			layer.Size = e.size
		case len(saved.LayerSources[id].URLs) > 0:
			layer.Foreign = true
		default:
			return image{}, err
		}
		names[d] = saved.Layers[i]
		img.Layers = append(img.Layers, layer)
	}
	img.blob = func(_ context.Context, d events.Digest) (io.ReadCloser, error) {
		r, err := a.Open(names[d])
		if err != nil {
			return nil, err
		}
		return plain(r)
	}
	return img, nil
}

func onlySaved(a *archive) (savedImage, error) {
	raw, err := readFile(a, "manifest.json")
	if _, old := a.entries["repositories"]; err != nil && old {
		return savedImage{}, errors.New("saved by a Docker before 1.10: load it and save it again")
	}
	if err != nil {
		return savedImage{}, fmt.Errorf("%w (an OCI layout is named as oci-archive:FILE)", err)
	}
	var all []savedImage
	if err := json.Unmarshal(raw, &all); err != nil {
		return savedImage{}, fmt.Errorf("manifest.json: %w", err)
	}
	// One image under two tags may be there twice.
	all = slices.CompactFunc(all, func(a, b savedImage) bool { return a.Config == b.Config && slices.Equal(a.Layers, b.Layers) })
	if len(all) != 1 {
		return savedImage{}, fmt.Errorf("manifest.json names %d images; save one alone", len(all))
	}
	return all[0], nil
}

// plain takes the compression off that some other programs than docker save
// leave on: what is named by its diff id is verified without it.
func plain(r io.ReadCloser) (io.ReadCloser, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, r.Close())
	}
	switch { // an archive's section needs no closing
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("layer is corrupt: %w", err), r.Close())
		}
		return z, nil
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("layer is corrupt: %w", err), r.Close())
		}
		return z.IOReadCloser(), nil
	default:
		return struct {
			io.Reader
			io.Closer
		}{b, r}, nil
	}
}

// zstdWindow bounds what a layer may ask to be kept in memory.
const zstdWindow = 64 << 20
