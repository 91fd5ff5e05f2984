package advisory

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// format is part of the version: another program may see other things in the
// same records.
const format = "landwaiter advisories 1"

// statement points at one encoded Affected.
type statement struct {
	id    string
	bytes []byte
}

// write puts the collection into a file.
func (c *collection) write(ctx context.Context, out string, f feeds) (Info, error) {
	ids := slices.Sorted(maps.Keys(c.records))
	info := Info{
		Version: c.version(ids, f), Ecosystems: slices.Sorted(maps.Keys(c.covered)),
		Skipped: c.skipped, SkippedTotal: c.skippedTotal,
	}
	w, err := newWriter(out)
	if err != nil {
		return Info{}, err
	}
	defer w.discard()
	packages := map[string][]statement{}
	flaws := newFlaws(f)
	for _, id := range ids {
		k := c.records[id]
		if at := time.Unix(0, k.modified).UTC(); at.After(info.UpdatedAt) {
			info.UpdatedAt = at
		}
		if k.withdrawn {
			info.Withdrawn++
			continue
		}
		info.Records++
		info.RangesSkipped += k.ranges
		if err := w.block(recordKey, id, k.record); err != nil {
			return Info{}, err
		}
		flaws.add(k)
		c.index(packages, id, k)
	}
	info.Packages = len(packages)
	if err := writePackages(ctx, w, packages); err != nil {
		return Info{}, err
	}
	if err := flaws.write(w); err != nil {
		return Info{}, err
	}
	info.Size, err = w.finish(meta{
		Version: info.Version, UpdatedAt: info.UpdatedAt, Families: info.Ecosystems, Records: info.Records,
		Ecosystems: slices.Sorted(maps.Keys(c.ecosystems)), EPSSDate: f.epssDate,
		Sample: c.sample,
	})
	return info, err
}

// index sorts a record's statements to their packages. Those about families
// that were not read are left out: they would be a fraction that looks like
// coverage.
func (c *collection) index(packages map[string][]statement, id string, k kept) {
	for i, key := range k.packages {
		family, _, _ := strings.Cut(key, "\x00")
		if !c.covered[family] {
			continue
		}
		packages[key] = append(packages[key], statement{id: id, bytes: k.affected[i]})
		d := decoder{b: k.affected[i]}
		_ = d.text()
		c.ecosystems[d.text()] = true
	}
}

func writePackages(ctx context.Context, w *writer, packages map[string][]statement) error {
	for _, key := range slices.Sorted(maps.Keys(packages)) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("write database: %w", err)
		}
		var e encoder
		e.number(uint64(len(packages[key])))
		for _, s := range packages[key] {
			e.b = append(e.b, s.bytes...)
		}
		if err := w.block(packageKey, key, e.b); err != nil {
			return err
		}
	}
	return nil
}

// version is a digest over everything a lookup can see: records by id, time
// and content, the families read, the feeds.
func (c *collection) version(ids []string, f feeds) string {
	h := sha256.New()
	write := func(s string) {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(s)))) // never fails
		_, _ = h.Write([]byte(s))
	}
	write(format)
	for _, family := range slices.Sorted(maps.Keys(c.covered)) {
		write(family)
	}
	write(f.digest)
	if c.sample {
		write("sample")
	}
	for _, id := range ids {
		k := c.records[id]
		write(id)
		write(time.Unix(0, k.modified).UTC().Format(time.RFC3339Nano))
		_, _ = h.Write(k.hash[:])
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
