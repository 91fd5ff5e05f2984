package layer

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// blob is the compressed stream: it counts and hashes what passes.
type blob struct {
	digest string
	sum    hash.Hash
	read   func(p []byte) (int, error)
	size   int64
	limit  int64
	err    error // the source's own, io.EOF included
}

func newBlob(digest string, limit int64, read func(p []byte) (int, error)) (*blob, error) {
	algorithm, _, _ := strings.Cut(digest, ":")
	b := &blob{digest: digest, limit: limit, read: read}
	switch algorithm {
	case "sha256":
		b.sum = sha256.New()
	case "sha512":
		b.sum = sha512.New()
	default:
		return nil, fmt.Errorf("digest algorithm %q: %w", algorithm, ErrDigest)
	}
	return b, nil
}

// Read implements io.Reader.
func (b *blob) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.read(p)
	b.sum.Write(p[:n])
	b.size += int64(n)
	if b.size > b.limit {
		err = fmt.Errorf("%w: more than %s (%s)", ErrTooLarge, config.Size(b.limit), SettingCompressed)
	}
	b.err = err
	return n, err
}

// finish reads the stream to its end and verifies the digest. Its error is the
// source's own before all others, then that of the digest, then err: what was
// wrong with bytes that are not those asked for says nothing about the layer.
func (b *blob) finish(err error) error {
	if _, copyErr := io.Copy(io.Discard, struct{ io.Reader }{b}); copyErr != nil {
		return copyErr
	}
	if b.err != nil && !errors.Is(b.err, io.EOF) {
		return b.err
	}
	algorithm, _, _ := strings.Cut(b.digest, ":")
	if got := algorithm + ":" + hex.EncodeToString(b.sum.Sum(nil)); got != b.digest {
		return fmt.Errorf("got %d bytes of %s: %w", b.size, got, ErrDigest)
	}
	return err
}

// output is the decompressed stream: it ends at the limits.
type output struct {
	r      io.Reader
	src    *blob
	limits Limits
	watch  *stopwatch
	size   int64
}

// Read implements io.Reader.
func (o *output) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	o.size += int64(n)
	switch {
	case o.size > o.limits.Uncompressed:
		return 0, overf("it unpacks to more than %s (%s)", config.Size(o.limits.Uncompressed), SettingUncompressed)
	case o.size > o.limits.RatioFrom && o.size/o.limits.Ratio > o.src.size:
		return 0, overf("it unpacks to more than %d times its size (%s), and to more than %s (%s)",
			o.limits.Ratio, SettingRatio, config.Size(o.limits.RatioFrom), SettingRatioFrom)
	case err == nil && o.watch.over():
		return 0, overf("looking into it takes longer than %s (%s)", config.Duration(o.limits.Time), SettingTime)
	}
	return n, err
}
