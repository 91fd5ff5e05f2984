package advisory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Limits bounds what Compile reads; a field of zero means its default.
type Limits struct {
	RecordBytes int64 // one record, uncompressed; larger ones are skipped (default 32 MiB)
	ZipBytes    int64 // one zip that has to be held in memory, compressed; larger is an error (default 2 GiB)
	Records     int   // entries of all zips together; more is an error (default 4,000,000)
	TotalBytes  int64 // all records together, uncompressed; more is an error (default 64 GiB)
	Memory      int   // bytes held by each of four sorters before they go to disk (default 8 MiB)
	Skips       int   // skipped records listed in Info (default 100)
}

func (l Limits) withDefaults() Limits {
	return Limits{
		RecordBytes: cmp.Or(l.RecordBytes, 32<<20),
		ZipBytes:    cmp.Or(l.ZipBytes, 2<<30),
		Records:     cmp.Or(l.Records, 4_000_000),
		TotalBytes:  cmp.Or(l.TotalBytes, 64<<30),
		Memory:      cmp.Or(l.Memory, 8<<20),
		Skips:       cmp.Or(l.Skips, 100),
	}
}

// Options says what Compile takes.
type Options struct {
	Ecosystems []string // families to read, such as "Debian"; empty: all there are
	KEV        string   // file: CISA's known exploited vulnerabilities, JSON; empty: none
	EPSS       string   // file: EPSS scores, CSV or CSV.gz; empty: none
	Limits     Limits
	// Sample marks a database that is too small to rely on. It is part of the
	// version.
	Sample bool
}

// Skip is one record that was left out.
type Skip struct {
	ID     string // the record's id, or the zip entry where it has none
	Reason string
}

// Info says what Compile made.
type Info struct {
	Version       string    // "sha256:…", the same for the same inputs
	UpdatedAt     time.Time // the newest record's modification
	Ecosystems    []string  // families covered, sorted
	Records       int       // records kept
	Withdrawn     int       // records left out because they are withdrawn
	Skipped       []Skip    // records left out because they cannot be used; at most Limits.Skips of them
	SkippedTotal  int
	RangesSkipped int   // version ranges left out of kept records because they cannot be understood
	Packages      int   // distinct packages
	Size          int64 // bytes of the file
	EPSS, KEV     Copy  // that were read
}

// Compile reads an export in OSV layout (<family>/all.zip, and beside it
// newer.zip with records changed since, if there is one) and atomically
// replaces the file out by a database made from it. The same input gives the
// same file, byte for byte. Records are sorted on disk beside out, which takes
// about as much room as the database, and little memory.
//
// A record that cannot be used is skipped and named in Info. A zip that cannot
// be read, or a family asked for and not there, is an error: a database that
// silently lost an ecosystem would call its packages clean.
func Compile(ctx context.Context, source fs.FS, out string, opts Options) (Info, error) {
	families, err := familiesOf(source, opts.Ecosystems)
	if err != nil {
		return Info{}, err
	}
	feeds, err := readFeeds(opts.KEV, opts.EPSS)
	if err != nil {
		return Info{}, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), ".sorting-*")
	if err != nil {
		return Info{}, fmt.Errorf("compile advisories: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left over takes only room
	c := newCollection(dir, opts.Limits.withDefaults())
	defer func() { _ = c.records.close() }() // closed already when all went well
	c.sample = opts.Sample
	for _, family := range families {
		if err := c.read(ctx, source, family); err != nil {
			return Info{}, err
		}
	}
	if c.count == 0 {
		return Info{}, errors.New("compile advisories: no usable record")
	}
	return c.write(ctx, dir, out, feeds)
}

// familiesOf lists the folders to read, sorted.
func familiesOf(source fs.FS, wanted []string) ([]string, error) {
	if len(wanted) > 0 {
		wanted = slices.Clone(wanted)
		slices.Sort(wanted)
		return slices.Compact(wanted), nil
	}
	folders, err := fs.ReadDir(source, ".")
	if err != nil {
		return nil, fmt.Errorf("list ecosystems: %w", err)
	}
	var families []string
	for _, f := range folders {
		// Folders with a release are leftovers, GIT and [EMPTY] name no packages.
		name := f.Name()
		if name == "GIT" || name == "[EMPTY]" || name != Family(name) {
			continue
		}
		info, err := fs.Stat(source, name) // not the entry's own: it may be a link
		if err != nil || !info.IsDir() {
			continue
		}
		if _, err := fs.Stat(source, name+"/all.zip"); err == nil {
			families = append(families, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list ecosystems: %w", err)
		}
	}
	if len(families) == 0 {
		return nil, errors.New("list ecosystems: no <ecosystem>/all.zip there")
	}
	return families, nil
}
