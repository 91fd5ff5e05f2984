package inventory

import (
	"bufio"
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

// Encode writes the layer compressed with zstd: a line of JSON, and the sets of
// paths behind it as numbers, which of a layer with many files are nearly all
// of it. The same layer always gives the same bytes.
func (l Layer) Encode() ([]byte, error) {
	paths, dirs := l.Paths, l.Dirs
	l.Paths, l.Dirs = nil, nil
	return encode(l, paths, dirs)
}

// DecodeLayer reads what Layer.Encode wrote.
func DecodeLayer(data []byte) (Layer, error) {
	var l Layer
	err := decode(data, &l, &l.Paths, &l.Dirs)
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

func encode(v any, sets ...Hashes) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode inventory: %w", err)
	}
	size := len(text) + 1
	for _, set := range sets {
		size += 8 * (1 + len(set))
	}
	if size > MaxDecoded {
		return nil, fmt.Errorf("encode inventory of %d bytes: %w", size, ErrTooLarge)
	}
	var data bytes.Buffer
	// One goroutine: with more the cuts between blocks could depend on timing.
	enc, err := zstd.NewWriter(&data, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window))
	if err != nil {
		return nil, fmt.Errorf("encode inventory: %w", err)
	}
	_, err = enc.Write(text)
	if len(sets) > 0 {
		_, lineErr := enc.Write([]byte{'\n'})
		err = errors.Join(err, lineErr)
	}
	for _, set := range sets {
		err = errors.Join(err, set.write(enc))
	}
	if err := errors.Join(err, enc.Close()); err != nil {
		return nil, fmt.Errorf("encode inventory: %w", err)
	}
	if data.Len() > MaxEncoded {
		return nil, fmt.Errorf("encode inventory into %d bytes: %w", data.Len(), ErrTooLarge)
	}
	return data.Bytes(), nil
}

// window is what decoding keeps in memory: most inventories are smaller.
const window = 1 << 20

func decode(data []byte, v any, sets ...*Hashes) error {
	if len(data) > MaxEncoded {
		return fmt.Errorf("decode inventory of %d bytes: %w", len(data), ErrTooLarge)
	}
	dec, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(MaxDecoded))
	if err != nil {
		return fmt.Errorf("decode inventory: %w", err)
	}
	defer dec.Close()
	limited := &io.LimitedReader{R: dec, N: MaxDecoded + 1}
	err = read(bufio.NewReaderSize(limited, 32<<10), v, sets)
	if limited.N <= 0 {
		err = ErrTooLarge
	}
	if err != nil {
		return fmt.Errorf("decode inventory: %w", err)
	}
	return nil
}

// read reads the line of JSON and the sets behind it. Before there were such,
// they were in the JSON, and there was no line's end.
func read(r *bufio.Reader, v any, sets []*Hashes) error {
	text, err := r.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	behind := err == nil
	if err := json.Unmarshal(text, v); err != nil {
		return err
	}
	for _, set := range sets {
		if !behind {
			break
		}
		if *set, err = readHashes(r); err != nil {
			return err
		}
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("more than an inventory"), err)
	}
	return nil
}
