package advisory

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"
)

// The file: magic, blocks, meta (JSON), index, trailer.
//
// A block is its key and its values, found through the index by the key's
// hash. The index has 20 bytes a block, ordered by hash: hash (8), offset (8),
// length (4). Blocks carry a CRC in front, meta and index have theirs in the
// trailer: a file that lost bytes on its way is noticed, not believed.
const (
	magic       = "LWADVDB3"
	trailerSize = 8 + 8 + 8 + 4 + 8 // meta offset, index offset, keys, CRC, magic
	entrySize   = 20
	maxBlock    = 1 << 30
)

// The kinds of keys.
const (
	packageKey = 'p' // p, family, NUL, name: statements
	recordKey  = 'r' // r, id: record
	flawKey    = 'c' // c, CVE id: flaw
)

// meta is what is known without looking anything up.
type meta struct {
	Version    string    `json:"version"`
	UpdatedAt  time.Time `json:"updatedAt"`
	Families   []string  `json:"families"`
	Ecosystems []string  `json:"ecosystems"` // canonical, with release, of all statements
	EPSSDate   string    `json:"epssDate,omitempty"`
	Records    int       `json:"records"`
	Sample     bool      `json:"sample,omitempty"`
}

func crcTable() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// hashKey is FNV-1a, here because every lookup begins with it and hash/fnv
// takes memory for it.
func hashKey(key string) uint64 {
	const offset, prime uint64 = 14695981039346656037, 1099511628211
	h := offset
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * prime
	}
	return h
}

// writer makes a database next to its final place.
type writer struct {
	out    string
	file   *os.File
	buf    *bufio.Writer
	offset uint64
	keys   uint64
	index  *sorter // length by hash and offset
}

func newWriter(out string, index *sorter) (*writer, error) {
	file, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+".*")
	if err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	w := &writer{out: out, file: file, buf: bufio.NewWriterSize(file, 1<<20), index: index}
	w.write([]byte(magic))
	return w, nil
}

// write counts; bufio remembers its first error until Flush.
func (w *writer) write(b []byte) {
	n, _ := w.buf.Write(b)
	w.offset += uint64(n) //nolint:gosec // a length
}

// block adds one key. Keys must be distinct.
func (w *writer) block(kind byte, key string, values []byte) error {
	e := encoder{b: make([]byte, 4, 4+8+len(key)+len(values))}
	e.text(string(kind) + key)
	e.b = append(e.b, values...)
	if len(e.b) > maxBlock {
		return fmt.Errorf("write %q: %d bytes", key, len(e.b))
	}
	binary.LittleEndian.PutUint32(e.b, crc32.Checksum(e.b[4:], crcTable()))
	at := binary.BigEndian.AppendUint64(nil, hashKey(string(kind)+key))
	at = binary.BigEndian.AppendUint64(at, w.offset)
	w.keys++
	w.write(e.b)
	return w.index.add(at, binary.LittleEndian.AppendUint32(nil, uint32(len(e.b)))) //nolint:gosec // checked above
}

// finish writes the index, ordered by hash and then by offset, and puts the
// file in its place.
func (w *writer) finish(m meta) (size int64, err error) {
	head, err := json.Marshal(m)
	if err != nil {
		return 0, fmt.Errorf("write database: %w", err)
	}
	metaAt := w.offset
	sum := crc32.Checksum(head, crcTable())
	w.write(head)
	indexAt := w.offset
	err = w.index.each(func(at, length []byte) error {
		e := binary.LittleEndian.AppendUint64(nil, binary.BigEndian.Uint64(at))
		e = binary.LittleEndian.AppendUint64(e, binary.BigEndian.Uint64(at[8:]))
		e = append(e, length...)
		sum = crc32.Update(sum, crcTable(), e)
		w.write(e)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("write database: %w", err)
	}
	tail := binary.LittleEndian.AppendUint64(nil, metaAt)
	tail = binary.LittleEndian.AppendUint64(tail, indexAt)
	tail = binary.LittleEndian.AppendUint64(tail, w.keys)
	tail = binary.LittleEndian.AppendUint32(tail, sum)
	tail = append(tail, magic...)
	w.write(tail)
	if err := w.commit(); err != nil {
		return 0, err
	}
	return int64(w.offset), nil //nolint:gosec // the length of a file
}

// commit makes the bytes durable before the name points at them.
func (w *writer) commit() error {
	if err := w.buf.Flush(); err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	if err := w.file.Chmod(0o644); err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	if err := os.Rename(w.file.Name(), w.out); err != nil {
		return fmt.Errorf("replace database: %w", err)
	}
	dir, err := os.Open(filepath.Dir(w.out))
	if err != nil {
		return fmt.Errorf("replace database: %w", err)
	}
	defer dir.Close() //nolint:errcheck // only read
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("replace database: %w", err)
	}
	return nil
}

// discard removes an unfinished file; after finish it does nothing.
func (w *writer) discard() {
	_ = w.index.close()
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}
