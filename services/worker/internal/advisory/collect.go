package advisory

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/flate"
)

// collection gathers records in their stored form, on disk: the whole of OSV
// would take gigabytes.
type collection struct {
	limits       Limits
	records      *sorter // states of records, by id
	count        int     // of them
	covered      map[string]bool
	ecosystems   map[string]bool
	entries      int
	bytes        int64
	skipped      []Skip
	skippedTotal int
	sample       bool
}

// kept is one state of a record. The hash tells apart what has the same id.
type kept struct {
	modified  int64
	hash      [sha256.Size]byte
	withdrawn bool
	ranges    int        // left out
	record    string     // encoded Record
	affected  []affected // statements
}

// affected is an encoded statement and the package it is about.
type affected struct {
	key, value string
}

func newCollection(dir string, limits Limits) *collection {
	return &collection{limits: limits, records: newSorter(dir, limits.Memory), covered: map[string]bool{}, ecosystems: map[string]bool{}}
}

// read adds one family's zip, and the one of records that are newer.
func (c *collection) read(ctx context.Context, source fs.FS, family string) error {
	if err := c.readZip(ctx, source, family, "all.zip"); err != nil {
		return err
	}
	err := c.readZip(ctx, source, family, "newer.zip")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (c *collection) readZip(ctx context.Context, source fs.FS, family, base string) error {
	name := family + "/" + base
	file, err := source.Open(name)
	if err != nil {
		return fmt.Errorf("read advisories: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	archive, err := openZip(file, c.limits.ZipBytes)
	if err != nil {
		return fmt.Errorf("read advisories %s: %w", name, err)
	}
	for _, f := range archive.File {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read advisories %s: %w", name, err)
		}
		if !strings.HasSuffix(f.Name, ".json") {
			continue
		}
		if c.entries++; c.entries > c.limits.Records {
			return fmt.Errorf("read advisories %s: more than %d records", name, c.limits.Records)
		}
		data, err := readEntry(f, c.limits.RecordBytes)
		if err != nil {
			c.skip(strings.TrimSuffix(f.Name, ".json"), err)
			continue
		}
		if c.bytes += int64(len(data)); c.bytes > c.limits.TotalBytes {
			return fmt.Errorf("read advisories %s: more than %d bytes", name, c.limits.TotalBytes)
		}
		usable, err := c.add(strings.TrimSuffix(f.Name, ".json"), data)
		if err != nil {
			return err
		}
		if usable {
			c.covered[family] = true
		}
	}
	return nil
}

func openZip(file fs.File, limit int64) (*zip.Reader, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	at, ok := file.(io.ReaderAt)
	size := info.Size()
	if !ok {
		data, err := io.ReadAll(io.LimitReader(file, limit+1))
		if err != nil {
			return nil, err
		}
		if int64(len(data)) > limit {
			return nil, fmt.Errorf("larger than %d bytes", limit)
		}
		at, size = bytes.NewReader(data), int64(len(data))
	}
	archive, err := zip.NewReader(at, size)
	if err != nil {
		return nil, err
	}
	archive.RegisterDecompressor(zip.Deflate, flate.NewReader)
	return archive, nil
}

func readEntry(f *zip.File, limit int64) ([]byte, error) {
	tooLarge := fmt.Errorf("larger than %d bytes", limit)
	if f.UncompressedSize64 > uint64(limit) { //nolint:gosec // a limit is not negative
		return nil, tooLarge
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	// The size above is a claim.
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, tooLarge
	}
	return data, nil
}

func (c *collection) skip(id string, reason error) {
	c.skippedTotal++
	if len(c.skipped) < c.limits.Skips {
		c.skipped = append(c.skipped, Skip{ID: fmt.Sprintf("%.*s", maxID, strings.ToValidUTF8(id, "?")), Reason: reason.Error()})
	}
}

// add keeps a state of a record. A record is in the zip of each family it
// affects, and those may be of different hours: which state counts is decided
// when all of them are there.
func (c *collection) add(entry string, data []byte) (usable bool, err error) {
	p, err := parseSafely(data)
	if err != nil {
		if p.record.ID != "" && checkID(p.record.ID) == nil {
			entry = p.record.ID
		}
		c.skip(entry, err)
		return false, nil
	}
	k := kept{modified: p.record.Modified.UnixNano(), hash: sha256.Sum256(data), withdrawn: p.withdrawn, ranges: p.rangesSkipped}
	if !k.withdrawn {
		var e encoder
		e.record(p.record)
		k.record = string(e.b)
		for _, a := range p.affected {
			var e encoder
			e.affected(a.Affected)
			k.affected = append(k.affected, affected{a.family + "\x00" + a.name, string(e.b)})
		}
	}
	c.count++
	return true, c.records.add([]byte(p.record.ID), k.encode())
}

func (k kept) newer(old kept) bool {
	if k.modified != old.modified {
		return k.modified > old.modified
	}
	return bytes.Compare(k.hash[:], old.hash[:]) > 0
}

func (k kept) encode() []byte {
	e := encoder{b: make([]byte, 0, 64+len(k.record))}
	e.number(uint64(k.modified)) //nolint:gosec // read back as it was
	e.b = append(e.b, k.hash[:]...)
	flags := uint64(k.ranges) << 1 //nolint:gosec // a count
	if k.withdrawn {
		flags |= 1
	}
	e.number(flags)
	e.text(k.record)
	e.number(uint64(len(k.affected)))
	for _, a := range k.affected {
		e.text(a.key)
		e.text(a.value)
	}
	return e.b
}

// decodeKept reads what encode wrote; what it gives is no part of b.
func decodeKept(b []byte) (kept, error) {
	d := decoder{b: string(b)}
	k := kept{modified: int64(d.number())} //nolint:gosec // as it was written
	if len(d.b) < len(k.hash) {
		return kept{}, errDamaged
	}
	d.b = d.b[copy(k.hash[:], d.b):]
	flags := d.number()
	k.withdrawn, k.ranges = flags&1 != 0, int(flags>>1)
	k.record = d.text()
	for range d.count() {
		k.affected = append(k.affected, affected{d.text(), d.text()})
	}
	if d.bad {
		return kept{}, errDamaged
	}
	return k, nil
}

// parseSafely turns a panic below into a skipped record: versions in records
// are parsed by a library that was not written for hostile ones.
func parseSafely(data []byte) (p parsed, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = parsed{}, fmt.Errorf("parse record: %v", r)
		}
	}()
	return parseRecord(data)
}
