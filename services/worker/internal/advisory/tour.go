package advisory

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"
)

// tour reads a database's blocks from the first to the last. They are ordered:
// records, packages, flaws, each by key.
type tour struct {
	in    *bufio.Reader
	at    uint64
	spans []span
	buf   []byte

	kind  byte
	key   string
	value string
	done  bool
}

type span struct {
	offset uint64
	length uint32
}

func newTour(db *DB) *tour {
	w := &tour{spans: make([]span, 0, len(db.index)/entrySize)}
	for e := db.index; len(e) > 0; e = e[entrySize:] {
		w.spans = append(w.spans, span{binary.LittleEndian.Uint64(e[8:]), binary.LittleEndian.Uint32(e[16:])})
	}
	slices.SortFunc(w.spans, func(a, b span) int { return cmp.Compare(a.offset, b.offset) })
	w.in = bufio.NewReaderSize(io.NewSectionReader(db.file, 0, int64(min(db.size, math.MaxInt64))), 1<<20)
	return w
}

// step goes to the next block; done tells that there was none.
func (w *tour) step() error {
	if len(w.spans) == 0 {
		w.done = true
		return nil
	}
	s := w.spans[0]
	w.spans = w.spans[1:]
	if s.offset < w.at || s.length < 4 || s.length > maxBlock {
		return errDamaged
	}
	if _, err := w.in.Discard(int(s.offset - w.at)); err != nil { //nolint:gosec // within a file
		return fmt.Errorf("read advisory database: %w", err)
	}
	w.at = s.offset + uint64(s.length)
	w.buf = slices.Grow(w.buf[:0], int(s.length))[:s.length]
	if _, err := io.ReadFull(w.in, w.buf); err != nil {
		return fmt.Errorf("read advisory database: %w", err)
	}
	if crc32.Checksum(w.buf[4:], crcTable()) != binary.LittleEndian.Uint32(w.buf) {
		return fmt.Errorf("%w: wrong checksum", errDamaged)
	}
	d := decoder{b: string(w.buf[4:])}
	full := d.text()
	if d.bad || full == "" {
		return errDamaged
	}
	w.kind, w.key, w.value = full[0], full[1:], d.b
	return nil
}

// order compares where two tours stand.
func (w *tour) order(other *tour) int {
	switch {
	case w.done || other.done:
		return cmp.Compare(rankDone(w.done), rankDone(other.done))
	default:
		return cmp.Or(cmp.Compare(rankKind(w.kind), rankKind(other.kind)), strings.Compare(w.key, other.key))
	}
}

func rankDone(done bool) int {
	if done {
		return 1
	}
	return 0
}

func rankKind(kind byte) int {
	return strings.IndexByte(string([]byte{recordKey, packageKey, flawKey}), kind)
}
