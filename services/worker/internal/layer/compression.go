package layer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// What a frame may ask to be kept in memory: the usual levels ask for up to
// zstdWindow, the extreme ones for up to zstdLargest.
const (
	zstdWindow  = 8 << 20
	zstdLargest = 64 << 20
)

// block is the size of an archive's blocks.
const block = 512

// decompress finds out by the first bytes how the blob is compressed: media
// types are wrong at times. stop releases the decompressor. room is asked for
// a window that is larger than usual, before it is taken.
func decompress(src *blob, room func(window int64) error) (plain io.Reader, stop func(), err error) {
	compressed := bufio.NewReaderSize(src, 64<<10)
	head, err := compressed.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		zr, err := gzip.NewReader(compressed) // several members are one stream
		if err != nil {
			return nil, nil, fmt.Errorf("%w: gzip: %w", ErrCorrupt, err)
		}
		return zr, func() { _ = zr.Close() }, nil // closing says nothing that reading did not
	case zstdMagic(head):
		window := uint64(zstdWindow)
		if asked := firstWindow(compressed); asked > window && asked <= zstdLargest {
			if err := room(int64(asked)); err != nil {
				return nil, nil, err
			}
			window = asked
		}
		zr, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(window))
		if err != nil {
			return nil, nil, fmt.Errorf("%w: zstd: %w", ErrCorrupt, err)
		}
		return zstdReader{zr}, zr.Close, nil
	default:
		return compressed, func() {}, nil
	}
}

// zstdMagic knows frames and the skippable frames before them.
func zstdMagic(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")) ||
		len(head) == 4 && head[0]&0xf0 == 0x50 && string(head[1:]) == "\x2a\x4d\x18"
}

// firstWindow is what the first frame asks for, as far as it lies among the
// first bytes. What begins with small frames goes on with small ones.
func firstWindow(compressed *bufio.Reader) uint64 {
	head, _ := compressed.Peek(4 << 10) // what there is; the decoder meets the error
	for len(head) > 0 {
		var h zstd.Header
		if h.Decode(head) != nil {
			return 0
		}
		if !h.Skippable {
			if h.SingleSegment {
				return h.FrameContentSize
			}
			return h.WindowSize
		}
		head = head[min(uint64(len(head)), uint64(h.HeaderSize)+uint64(h.SkippableSize)):] //nolint:gosec // a header's
	}
	return 0
}

// zstdReader tells frames that are too demanding from broken ones.
type zstdReader struct{ r *zstd.Decoder }

// Read implements io.Reader.
func (z zstdReader) Read(p []byte) (int, error) {
	n, err := z.r.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = fmt.Errorf("%w: %w", errWindow, err)
	}
	return n, err
}

// sniffTar looks whether an archive follows. Nothing at all is an empty layer,
// as runtimes have it, too: its digest says that there is nothing.
func sniffTar(r *bufio.Reader) error {
	head, err := r.Peek(block)
	var hit *limitError
	switch {
	case len(head) == block:
		if tarHeader(head) {
			return nil
		}
		return fmt.Errorf("%w: no archive header", ErrNotLayer)
	case errors.As(err, &hit) || errors.Is(err, errWindow):
		return err
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case len(head) == 0:
		return nil
	default:
		return fmt.Errorf("%w: %d bytes", ErrNotLayer, len(head))
	}
}

// tarHeader tells whether a block is a header: zeros, the mark of POSIX and
// GNU, or, as the oldest archives have neither, a checksum that is right.
func tarHeader(head []byte) bool {
	if string(head[257:262]) == "ustar" || len(bytes.Trim(head, "\x00")) == 0 {
		return true
	}
	want, err := strconv.ParseInt(strings.Trim(string(head[148:156]), " \x00"), 8, 64)
	if err != nil {
		return false
	}
	sum := int64(8 * ' ') // the checksum's own field counts as spaces
	for i, c := range head {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	return sum == want
}
