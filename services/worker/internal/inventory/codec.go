package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// MaxEncoded is the size in bytes a stored inventory may have, compressed and
// decompressed: the path hashes of two million files are 22 MiB of text, and
// nothing bigger was ever written by a reader with the default limits.
const (
	MaxEncoded = 64 << 20
	MaxDecoded = 256 << 20
)

// ErrTooLarge is an inventory beyond MaxEncoded or MaxDecoded.
var ErrTooLarge = errors.New("inventory is too large")

// Encode writes the layer as JSON compressed with zstd. The same layer always
// gives the same bytes.
func (l Layer) Encode() ([]byte, error) { return encode(l) }

// DecodeLayer reads what Layer.Encode wrote.
func DecodeLayer(data []byte) (Layer, error) {
	var l Layer
	err := decode(data, &l)
	return l, err
}

// Encode writes the image inventory as JSON compressed with zstd. The same
// inventory always gives the same bytes.
func (i Image) Encode() ([]byte, error) { return encode(i) }

// DecodeImage reads what Image.Encode wrote.
func DecodeImage(data []byte) (Image, error) {
	var i Image
	err := decode(data, &i)
	return i, err
}

func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode inventory: %w", err)
	}
	if len(text) > MaxDecoded {
		return nil, fmt.Errorf("encode inventory of %d bytes: %w", len(text), ErrTooLarge)
	}
	// One goroutine: with more the cuts between blocks could depend on timing.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("encode inventory: %w", err)
	}
	data := enc.EncodeAll(text, nil)
	if len(data) > MaxEncoded {
		return nil, fmt.Errorf("encode inventory into %d bytes: %w", len(data), ErrTooLarge)
	}
	return data, nil
}

func decode(data []byte, v any) error {
	if len(data) > MaxEncoded {
		return fmt.Errorf("decode inventory of %d bytes: %w", len(data), ErrTooLarge)
	}
	dec, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(MaxDecoded))
	if err != nil {
		return fmt.Errorf("decode inventory: %w", err)
	}
	defer dec.Close()
	text, err := io.ReadAll(io.LimitReader(dec, MaxDecoded+1))
	if err != nil {
		return fmt.Errorf("decode inventory: %w", err)
	}
	if len(text) > MaxDecoded {
		return fmt.Errorf("decode inventory: %w", ErrTooLarge)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("decode inventory: %w", err)
	}
	return nil
}
