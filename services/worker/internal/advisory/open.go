package advisory

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

const (
	maxMeta = 16 << 20
	maxKeys = 50_000_000 // 1 GB of index
)

// source is what a database is read from.
type source interface {
	io.ReaderAt
	io.Closer
}

// DB is an open advisory database, safe for concurrent use.
type DB struct {
	file     source
	size     uint64
	index    []byte
	meta     meta
	families map[string]bool // to: some of its ecosystems have a release
	seen     map[string]bool
	memo     *memo
	buffers  sync.Pool // of *[]byte, for blocks
}

// Open opens a file made by Compile. Only the index is read.
func Open(path string) (*DB, error) {
	file, err := os.Open(path) //nolint:gosec // the caller names it
	if err != nil {
		return nil, fmt.Errorf("open advisory database: %w", err)
	}
	db, err := open(file)
	if err != nil {
		return nil, fmt.Errorf("open advisory database %s: %w", path, errors.Join(err, file.Close()))
	}
	return db, nil
}

func open(file *os.File) (*DB, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return load(file, info.Size())
}

func load(file source, size int64) (*DB, error) {
	tail, head, err := readTail(file, size)
	if err != nil {
		return nil, err
	}
	db := &DB{
		file: file, size: uint64(size), index: tail[head:], //nolint:gosec // a size
		families: map[string]bool{}, seen: map[string]bool{}, memo: newMemo(memoWeight),
	}
	if err := json.Unmarshal(tail[:head], &db.meta); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	for _, family := range db.meta.Families {
		db.families[family] = false
	}
	for _, ecosystem := range db.meta.Ecosystems {
		db.seen[ecosystem] = true
		if family := Family(ecosystem); family != ecosystem {
			db.families[family] = true
		}
	}
	return db, nil
}

// readTail gives meta and index, checked, and where the index begins in them.
func readTail(file io.ReaderAt, size int64) (tail []byte, head uint64, err error) {
	if size < int64(len(magic)+trailerSize) {
		return nil, 0, fmt.Errorf("%w: %d bytes", errDamaged, size)
	}
	trailer := make([]byte, trailerSize)
	if _, err := file.ReadAt(trailer, size-trailerSize); err != nil {
		return nil, 0, err
	}
	if string(trailer[28:]) != magic {
		return nil, 0, fmt.Errorf("%w: not an advisory database of this version, or cut short", errDamaged)
	}
	metaAt := binary.LittleEndian.Uint64(trailer)
	indexAt := binary.LittleEndian.Uint64(trailer[8:])
	keys := binary.LittleEndian.Uint64(trailer[16:])
	end := uint64(size - trailerSize)
	if metaAt < uint64(len(magic)) || metaAt > indexAt || indexAt > end || indexAt-metaAt > maxMeta ||
		keys > maxKeys || end-indexAt != keys*entrySize {
		return nil, 0, fmt.Errorf("%w: its parts do not fit", errDamaged)
	}
	tail = make([]byte, end-metaAt)
	if _, err := file.ReadAt(tail, int64(metaAt)); err != nil { //nolint:gosec // below size
		return nil, 0, err
	}
	if crc32.Checksum(tail, crcTable()) != binary.LittleEndian.Uint32(trailer[24:]) {
		return nil, 0, fmt.Errorf("%w: wrong checksum of the index", errDamaged)
	}
	return tail, indexAt - metaAt, nil
}

// Close releases the file. No lookup may be running.
func (db *DB) Close() error {
	if err := db.file.Close(); err != nil {
		return fmt.Errorf("close advisory database: %w", err)
	}
	return nil
}

// Version names the database in reports.
func (db *DB) Version() verdict.Database {
	return verdict.Database{Version: db.meta.Version, UpdatedAt: db.meta.UpdatedAt}
}

// Sample tells whether the database is only a sample: most advisories are not
// in it, and finding nothing says nothing.
func (db *DB) Sample() bool { return db.meta.Sample }

// EPSSDate is the day of the EPSS scores, YYYY-MM-DD; empty: there are none.
func (db *DB) EPSSDate() string { return db.meta.EPSSDate }

// Ecosystems lists the families covered, sorted: "Debian", "npm".
func (db *DB) Ecosystems() []string { return slices.Clone(db.meta.Families) }

// Covers tells whether there are advisories for an ecosystem as it is written
// in a package. A distribution is covered by release: advisories for Debian 12
// say nothing about Debian 13, nor about one of unknown release.
func (db *DB) Covers(ecosystem string) bool {
	ecosystem = Canonical(ecosystem)
	released, covered := db.families[Family(ecosystem)]
	if !covered {
		return false
	}
	if db.seen[ecosystem] || (!released && Family(ecosystem) == ecosystem) {
		return true
	}
	return slices.ContainsFunc(db.meta.Ecosystems, func(entry string) bool { return SameRelease(ecosystem, entry) })
}

// Affected gives all statements about a package of a family, by ecosystem;
// releases are for the caller to compare.
func (db *DB) Affected(family, name string) ([]Statements, error) {
	d, found, err := db.lookup(packageKey, family+"\x00"+NormalName(family, name))
	if err != nil || !found {
		return nil, err
	}
	list := d.statements()
	if d.bad {
		return nil, errDamaged
	}
	return list, nil
}

// Record gives a record by its id; there may be none.
func (db *DB) Record(id string) (r Record, found bool, err error) {
	d, found, err := db.lookup(recordKey, id)
	if err != nil || !found {
		return Record{}, false, err
	}
	r = d.record()
	if d.bad {
		return Record{}, false, errDamaged
	}
	return r, true, nil
}

// Flaw gives what is known of a CVE; there may be nothing.
func (db *DB) Flaw(cve string) (f Flaw, found bool, err error) {
	d, found, err := db.lookup(flawKey, cve)
	if err != nil || !found {
		return Flaw{}, false, err
	}
	f = d.flaw()
	if d.bad {
		return Flaw{}, false, errDamaged
	}
	return f, true, nil
}
