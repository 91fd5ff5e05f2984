package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Decoder reads the inventories of many images and remembers their packages:
// images of one registry stand on a few bases and share most of them. Its
// images share what it remembers; their packages' lists and listings must not
// be changed. It may be used by several goroutines.
type Decoder struct {
	limit    int // bytes, about
	unpacker *zstd.Decoder
	texts    sync.Pool // of *[]byte

	mu           sync.Mutex
	weight       int
	newer, older map[string]Package // by their JSON; the older half goes when the newer one is full
}

// keptText is the largest text whose memory is used again, in bytes.
const keptText = 1 << 20

// NewDecoder returns a decoder that keeps about limit bytes of packages.
func NewDecoder(limit int) (*Decoder, error) {
	unpacker, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxDecoded), zstd.WithDecoderMaxWindow(MaxDecoded))
	if err != nil {
		return nil, fmt.Errorf("decode inventories: %w", err)
	}
	return &Decoder{limit: limit, unpacker: unpacker, newer: map[string]Package{}}, nil
}

// Image is DecodeImage.
func (d *Decoder) Image(data []byte) (Image, error) {
	if len(data) > MaxEncoded {
		return Image{}, fmt.Errorf("decode inventory of %d bytes: %w", len(data), ErrTooLarge)
	}
	kept, _ := d.texts.Get().(*[]byte)
	if kept == nil {
		kept = new([]byte)
	}
	text, err := d.unpacker.DecodeAll(data, (*kept)[:0])
	if err != nil {
		return Image{}, fmt.Errorf("decode inventory: %w", err)
	}
	if cap(text) <= keptText {
		defer func() { *kept = text; d.texts.Put(kept) }()
	}
	around, elements, ok := split(text)
	if !ok {
		return DecodeImage(data) // it says what is wrong, if anything is
	}
	var img Image
	if err := json.Unmarshal(around, &img); err != nil {
		return Image{}, fmt.Errorf("decode inventory: %w", err)
	}
	if img.Packages, err = d.packages(elements); err != nil {
		return Image{}, fmt.Errorf("decode inventory: %w", err)
	}
	return img, nil
}

// packages takes the packages that are known from memory and reads the others.
func (d *Decoder) packages(elements [][]byte) ([]Package, error) {
	out := make([]Package, len(elements))
	unknown := d.recall(elements, out)
	for _, i := range unknown {
		if err := json.Unmarshal(elements[i], &out[i]); err != nil {
			return nil, err
		}
	}
	d.remember(elements, out, unknown)
	return out, nil
}

// recall fills in what is known and returns the places of what is not.
func (d *Decoder) recall(elements [][]byte, out []Package) (unknown []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, e := range elements {
		if p, known := d.newer[string(e)]; known {
			out[i] = p
			continue
		}
		if p, known := d.older[string(e)]; known {
			out[i] = p
			d.keep(string(e), p) // else what all use would go with its half
			continue
		}
		unknown = append(unknown, i)
	}
	return unknown
}

func (d *Decoder) remember(elements [][]byte, out []Package, unknown []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range unknown {
		d.keep(string(elements[i]), out[i])
	}
}

// keep needs the lock.
func (d *Decoder) keep(text string, p Package) {
	// The text, the strings that were read from it, and the package itself.
	const frame = 400
	weight := 2*len(text) + frame
	if d.weight+weight > d.limit/2 {
		d.older, d.newer, d.weight = d.newer, map[string]Package{}, 0
	}
	d.newer[text] = p
	d.weight += weight
}

// split takes the packages out of an inventory's JSON. ok is false where they
// do not stand as Encode writes them, or are none.
func split(text []byte) (around []byte, elements [][]byte, ok bool) {
	// Quotes inside a string are escaped: this is a name, and no other part of
	// an inventory has one like it.
	const name = `"packages":[`
	begin := bytes.Index(text, []byte(name))
	if begin < 0 {
		return nil, nil, false
	}
	at := begin + len(name)
	for {
		end := object(text, at)
		if end < 0 || end >= len(text) {
			return nil, nil, false
		}
		elements = append(elements, text[at:end:end])
		at = end + 1
		if text[end] == ']' {
			break
		}
		if text[end] != ',' {
			return nil, nil, false
		}
	}
	around = append(around, text[:begin+len(name)]...)
	around = append(around, ']')
	return append(around, text[at:]...), elements, true
}

// object returns where the JSON object that begins at a place ends, or -1.
func object(text []byte, at int) int {
	if at >= len(text) || text[at] != '{' {
		return -1
	}
	for depth := 0; at < len(text); at++ {
		switch text[at] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return at + 1
			}
		case '"':
			if at = quoted(text, at); at < 0 {
				return -1
			}
		}
	}
	return -1
}

// quoted returns where the JSON string that begins at a place has its last
// quote, or -1.
func quoted(text []byte, at int) int {
	for {
		next := bytes.IndexByte(text[at+1:], '"')
		if next < 0 {
			return -1
		}
		at += 1 + next
		escapes := 0
		for text[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
	}
}
