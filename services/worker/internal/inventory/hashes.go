package inventory

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Hashes is a sorted set of path hashes: 8 bytes a path, whatever its length.
type Hashes []uint64

// errHashes is an encoded set that cannot be one.
var errHashes = errors.New("not a sorted set of 64-bit hashes")

// Hash is the hash of a path as layers keep it. It is cut from SHA-256, so that
// nobody can hide a file by finding another path with the same hash.
func Hash(path string) uint64 {
	var room [256]byte // not on the heap: most paths are shorter
	sum := sha256.Sum256(append(room[:0], path...))
	return binary.BigEndian.Uint64(sum[:8])
}

// NewHashes sorts hashes in place and drops the repeated ones.
func NewHashes(hashes []uint64) Hashes {
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// Has tells whether the path is in the set.
func (h Hashes) Has(path string) bool {
	if len(h) == 0 {
		return false
	}
	return h.HasHash(Hash(path))
}

// HasHash tells whether the hash is in the set.
func (h Hashes) HasHash(hash uint64) bool {
	_, found := slices.BinarySearch(h, hash)
	return found
}

// MarshalText is base64 over big-endian numbers.
func (h Hashes) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 8*len(h))
	for _, n := range h {
		raw = binary.BigEndian.AppendUint64(raw, n)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText reads what MarshalText wrote; a set that is not sorted is an error.
func (h *Hashes) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("decode hashes: %w", err)
	}
	if len(raw)%8 != 0 {
		return errHashes
	}
	set := make(Hashes, 0, len(raw)/8)
	for ; len(raw) > 0; raw = raw[8:] {
		n := binary.BigEndian.Uint64(raw)
		if len(set) > 0 && n <= set[len(set)-1] {
			return errHashes
		}
		set = append(set, n)
	}
	*h = set
	return nil
}

// write writes how many there are, and them.
func (h Hashes) write(w io.Writer) error {
	raw := binary.BigEndian.AppendUint64(make([]byte, 0, pageSize), uint64(len(h)))
	for _, n := range h {
		if len(raw) == cap(raw) {
			if _, err := w.Write(raw); err != nil {
				return fmt.Errorf("write hashes: %w", err)
			}
			raw = raw[:0]
		}
		raw = binary.BigEndian.AppendUint64(raw, n)
	}
	if _, err := w.Write(raw); err != nil {
		return fmt.Errorf("write hashes: %w", err)
	}
	return nil
}

// pageSize is how many bytes of hashes are written or read at a time.
const pageSize = 32 << 10

// readHashes reads what write wrote; a set that is not sorted is an error.
func readHashes(r io.Reader) (Hashes, error) {
	page := make([]byte, pageSize)
	if _, err := io.ReadFull(r, page[:8]); err != nil {
		return nil, fmt.Errorf("read hashes: %w", err)
	}
	count := binary.BigEndian.Uint64(page)
	if count == 0 {
		return nil, nil
	}
	const trusted = 1 << 20 // room for more is made when they come
	set := make(Hashes, 0, min(count, trusted))
	for count > 0 {
		part := page[:min(count, pageSize/8)*8]
		if _, err := io.ReadFull(r, part); err != nil {
			return nil, fmt.Errorf("read hashes: %w", err)
		}
		count -= uint64(len(part) / 8)
		for ; len(part) > 0; part = part[8:] {
			n := binary.BigEndian.Uint64(part)
			if len(set) > 0 && n <= set[len(set)-1] {
				return nil, errHashes
			}
			set = append(set, n)
		}
	}
	return set, nil
}
