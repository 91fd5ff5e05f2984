package advisory

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"
)

// format is part of the version: another program may see other things in the
// same records.
const format = "landwaiter advisories 3"

// assembly puts a collection into a file: records by id, then packages by
// name, then flaws by CVE, as each of them comes out of its sorter.
type assembly struct {
	*collection

	ctx      context.Context //nolint:containedctx // lives for one call of write only
	out      *writer
	info     Info
	version  hash.Hash
	packages *sorter
	flaws    *flaws
}

// write puts the collection into a file.
func (c *collection) write(ctx context.Context, dir, out string, f feeds) (Info, error) {
	w, err := newWriter(out, newSorter(dir, c.limits.Memory))
	if err != nil {
		return Info{}, err
	}
	defer w.discard()
	a := &assembly{
		collection: c, ctx: ctx, out: w, version: sha256.New(), packages: newSorter(dir, c.limits.Memory),
		flaws: &flaws{feeds: f, sorter: newSorter(dir, c.limits.Memory)},
		info: Info{
			Ecosystems: slices.Sorted(maps.Keys(c.covered)), Skipped: c.skipped, SkippedTotal: c.skippedTotal,
			EPSS: f.epssCopy, KEV: f.kevCopy,
		},
	}
	defer func() { _ = errors.Join(a.packages.close(), a.flaws.sorter.close()) }() // closed already when all went well
	a.header(f)
	if err := a.writeRecords(); err != nil {
		return Info{}, err
	}
	if err := a.writePackages(); err != nil {
		return Info{}, err
	}
	if err := a.flaws.write(w); err != nil {
		return Info{}, err
	}
	a.info.Version = "sha256:" + hex.EncodeToString(a.version.Sum(nil))
	a.info.Size, err = w.finish(meta{
		Version: a.info.Version, UpdatedAt: a.info.UpdatedAt, Families: a.info.Ecosystems, Records: a.info.Records,
		Ecosystems: slices.Sorted(maps.Keys(c.ecosystems)), EPSSDate: f.epssDate,
		Sample: c.sample,
	})
	return a.info, err
}

// header begins the version, a digest over everything a lookup can see: the
// families read, the feeds, and then records by id, time and content.
func (a *assembly) header(f feeds) {
	a.hash(format)
	for _, family := range a.info.Ecosystems {
		a.hash(family)
	}
	a.hash(f.digest)
	if a.sample {
		a.hash("sample")
	}
}

func (a *assembly) hash(s string) {
	_, _ = a.version.Write(binary.AppendUvarint(nil, uint64(len(s)))) // never fails
	_, _ = a.version.Write([]byte(s))
}

// writeRecords writes the newest state of each record.
func (a *assembly) writeRecords() error {
	var id string
	var newest kept
	n := 0
	err := a.records.each(func(key, value []byte) error {
		if n++; n%1000 == 0 && a.ctx.Err() != nil {
			return a.ctx.Err()
		}
		k, err := decodeKept(value)
		if err != nil {
			return err
		}
		switch {
		case id != "" && string(key) == id:
			if k.newer(newest) {
				newest = k
			}
			return nil
		case id != "":
			if err := a.writeRecord(id, newest); err != nil {
				return err
			}
		}
		id, newest = string(key), k
		return nil
	})
	if err == nil {
		err = a.writeRecord(id, newest)
	}
	if err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	return nil
}

func (a *assembly) writeRecord(id string, k kept) error {
	at := time.Unix(0, k.modified).UTC()
	a.hash(id)
	a.hash(at.Format(time.RFC3339Nano))
	_, _ = a.version.Write(k.hash[:])
	if at.After(a.info.UpdatedAt) {
		a.info.UpdatedAt = at
	}
	if k.withdrawn {
		a.info.Withdrawn++
		return nil
	}
	a.info.Records++
	a.info.RangesSkipped += k.ranges
	if err := a.out.block(recordKey, id, []byte(k.record)); err != nil {
		return err
	}
	if err := a.flaws.add(k); err != nil {
		return err
	}
	return a.index(k)
}

// index sorts a record's statements to their packages. Those about families
// that were not read are left out: they would be a fraction that looks like
// coverage.
func (a *assembly) index(k kept) error {
	for _, s := range k.affected {
		family, _, _ := strings.Cut(s.key, "\x00")
		if !a.covered[family] {
			continue
		}
		if err := a.packages.add([]byte(s.key), []byte(s.value)); err != nil {
			return err
		}
		d := decoder{b: s.value}
		if ecosystem := d.text(); !a.ecosystems[ecosystem] {
			a.ecosystems[strings.Clone(ecosystem)] = true // not with its record
		}
	}
	return nil
}

// writePackages writes the statements about each package.
func (a *assembly) writePackages() error {
	var name string
	var said []string
	flush := func() error {
		if len(said) == 0 {
			return nil
		}
		a.info.Packages++
		err := a.out.block(packageKey, name, encodeStatements(said))
		said = said[:0]
		return err
	}
	err := a.packages.each(func(key, value []byte) error {
		if string(key) != name {
			if err := errors.Join(flush(), a.ctx.Err()); err != nil {
				return err
			}
			name = string(key)
		}
		said = append(said, string(value))
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	return nil
}
