// Package layer reads one image layer as a stream and says what is in it.
package layer

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// What can be wrong with a blob. Every error of Reader.Read that is not the
// source's own or the context's wraps one of them. Only ErrDigest may go away
// by fetching again.
var (
	ErrDigest   = errors.New("blob does not have the digest asked for")
	ErrCorrupt  = errors.New("layer is corrupt")      // malformed compression or archive, under the right digest
	ErrNotLayer = errors.New("blob is not a layer")   // not an archive at all, under the right digest
	ErrTooLarge = errors.New("layer is too large")    // beyond Limits.Compressed: the digest cannot be verified
	errWindow   = errors.New("zstd window too large") // the rest is not looked at
)

// Reader reads layers. It may be used by several goroutines at once; they share
// Limits.Buffered.
type Reader struct {
	set    *extract.Set
	limits Limits
	memory *semaphore.Weighted

	charging sync.Mutex // of the heap's limit
}

// NewReader returns a reader that looks for what the set knows.
func NewReader(set *extract.Set, limits Limits) *Reader {
	limits = limits.consistent()
	return &Reader{set: set, limits: limits, memory: semaphore.NewWeighted(limits.Buffered)}
}

// Engine names everything an inventory depends on besides the layer's bytes:
// the extractor set and the limits. It belongs into the key of a stored one.
func (r *Reader) Engine() string { return r.set.Version() + "-" + r.limits.Key() }

// Read reads the compressed layer to its end and returns what is in it. The
// digest is that of the compressed bytes and is verified. It streams: nothing
// is written to disk, and one file at a time is in memory. A limit that was hit
// makes the inventory partial, with a note, and is no error.
//
// It ends soon after ctx does, provided that reads from compressed end then.
func (r *Reader) Read(ctx context.Context, digest string, compressed io.Reader) (inventory.Layer, error) {
	c := newCollector(r, digest)
	src, err := newBlob(digest, r.limits.Compressed, func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		c.watch.stop()
		defer c.watch.start()
		return compressed.Read(p)
	})
	if err != nil {
		return inventory.Layer{}, fmt.Errorf("read layer %s: %w", digest, err)
	}
	size, err := r.unpack(ctx, c, src)
	if err := src.finish(err); err != nil {
		return inventory.Layer{}, fmt.Errorf("read layer %s: %w", digest, err)
	}
	if ctx.Err() != nil {
		return inventory.Layer{}, fmt.Errorf("read layer %s: %w", digest, context.Cause(ctx))
	}
	found := c.layer()
	found.Size, found.Uncompressed = src.size, size
	return found, nil
}

// unpack walks through the archive in the blob and returns how many bytes were
// unpacked.
func (r *Reader) unpack(ctx context.Context, c *collector, src *blob) (int64, error) {
	defer c.leave()
	plain, stop, err := decompress(src, func(window int64) error { return c.enter(ctx, window) })
	if err != nil {
		return 0, c.limited(err)
	}
	defer stop()
	out := &output{r: plain, limits: r.limits, src: src, watch: c.watch}
	buffered := bufio.NewReaderSize(out, block) // for one look ahead; larger reads go past it
	if err := sniffTar(buffered); err != nil {
		return out.size, c.limited(err)
	}
	err = c.walk(ctx, tar.NewReader(buffered))
	if err == nil {
		// The compressed stream goes on behind the archive's end: checksums, further members.
		if _, err = io.Copy(io.Discard, buffered); err != nil {
			err = fmt.Errorf("%w: behind the archive: %w", ErrCorrupt, err)
		}
	}
	return out.size, c.limited(err)
}
