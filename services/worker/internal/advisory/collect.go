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

// collection gathers records, newest state of each, in their stored form: as
// structures the whole of OSV would take several times the memory.
type collection struct {
	limits       Limits
	records      map[string]kept
	covered      map[string]bool
	ecosystems   map[string]bool
	entries      int
	bytes        int64
	skipped      []Skip
	skippedTotal int
	sample       bool
}

// kept is one record. The hash tells apart what has the same id.
type kept struct {
	modified  int64
	hash      [sha256.Size]byte
	withdrawn bool
	record    []byte   // encoded Record
	packages  []string // key of each statement
	affected  [][]byte // encoded Affected
	ranges    int      // left out
}

func newCollection(limits Limits) *collection {
	return &collection{limits: limits, records: map[string]kept{}, covered: map[string]bool{}, ecosystems: map[string]bool{}}
}

// read adds one family's zip.
func (c *collection) read(ctx context.Context, source fs.FS, family string) error {
	name := family + "/all.zip"
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
		if c.add(strings.TrimSuffix(f.Name, ".json"), data) {
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

// add keeps a record unless a newer state of it is there already: a record is
// in the zip of each family it affects, and those may be of different hours.
func (c *collection) add(entry string, data []byte) (usable bool) {
	hash := sha256.Sum256(data)
	if old, ok := c.records[entry]; ok && old.hash == hash {
		return true
	}
	p, err := parseSafely(data)
	if err != nil {
		if p.record.ID != "" && checkID(p.record.ID) == nil {
			entry = p.record.ID
		}
		c.skip(entry, err)
		return false
	}
	k := kept{modified: p.record.Modified.UnixNano(), hash: hash, withdrawn: p.withdrawn, ranges: p.rangesSkipped}
	if old, ok := c.records[p.record.ID]; ok && !k.newer(old) {
		return true
	}
	if !k.withdrawn {
		var e encoder
		e.record(p.record)
		k.record = e.b
		for _, a := range p.affected {
			var e encoder
			e.affected(a.Affected)
			k.packages = append(k.packages, a.family+"\x00"+a.name)
			k.affected = append(k.affected, e.b)
		}
	}
	c.records[p.record.ID] = k
	return true
}

func (k kept) newer(old kept) bool {
	if k.modified != old.modified {
		return k.modified > old.modified
	}
	return bytes.Compare(k.hash[:], old.hash[:]) > 0
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
