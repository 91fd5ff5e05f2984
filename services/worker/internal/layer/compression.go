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

// zstdWindow bounds what a frame may ask to be kept in memory: the usual
// levels ask for 8 MiB, the extreme ones for up to 64.
const zstdWindow = 64 << 20

// block is the size of an archive's blocks.
const block = 512

// decompress finds out by the first bytes how the blob is compressed: media
// types are wrong at times. stop releases the decompressor.
func decompress(src *blob) (plain io.Reader, stop func(), err error) {
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
		zr, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
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

// sniffTar looks whether an archive follows. Nothing at all in a compressed
// stream is an empty layer.
func sniffTar(r *bufio.Reader, src *blob) error {
	head, err := r.Peek(block)
	switch {
	case len(head) == block:
		if tarHeader(head) {
			return nil
		}
		return fmt.Errorf("%w: no archive header", ErrNotLayer)
	case errors.Is(err, errLimit) || errors.Is(err, errWindow):
		return err
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case len(head) == 0 && src.size > 0:
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
