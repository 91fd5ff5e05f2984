package rpmdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// NDB, rpm's own format, used by SUSE: a header, an array of slots, and blobs
// of package headers that the slots point at, in blocks of 16 bytes.
const (
	ndbMagic     = "RpmP"
	ndbSlotMagic = "Slot"
	ndbBlobMagic = "BlbS"
	ndbBlock     = 16
	ndbPage      = 4096
)

func readNDB(data []byte, add func(header []byte)) error {
	if len(data) < 2*ndbBlock {
		return fmt.Errorf("ndb of %d bytes: %w", len(data), ErrFormat)
	}
	pages := uint64(binary.LittleEndian.Uint32(data[12:]))
	if pages == 0 || pages*ndbPage > uint64(len(data)) {
		return fmt.Errorf("%d slot pages in %d bytes: %w", pages, len(data), ErrFormat)
	}
	seen := map[uint32]bool{}
	// The first two slots are the file's header.
	for slots := data[2*ndbBlock : pages*ndbPage]; len(slots) >= ndbBlock; slots = slots[ndbBlock:] {
		index, offset := binary.LittleEndian.Uint32(slots[4:]), binary.LittleEndian.Uint32(slots[8:])
		if !bytes.HasPrefix(slots, []byte(ndbSlotMagic)) {
			return fmt.Errorf("slot without its mark: %w", ErrFormat)
		}
		if index == 0 {
			continue
		}
		start := uint64(offset) * ndbBlock
		if seen[offset] || start+ndbBlock > uint64(len(data)) || !bytes.HasPrefix(data[start:], []byte(ndbBlobMagic)) {
			return fmt.Errorf("blob of package %d: %w", index, ErrFormat)
		}
		seen[offset] = true
		size := uint64(binary.LittleEndian.Uint32(data[start+12:]))
		if start+ndbBlock+size > uint64(len(data)) {
			return fmt.Errorf("blob of package %d has %d bytes: %w", index, size, ErrFormat)
		}
		add(data[start+ndbBlock:][:size])
	}
	return nil
}
