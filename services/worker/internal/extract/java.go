package extract

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/google/osv-scalibr/extractor/filesystem/language/java/archive"
	"github.com/klauspost/compress/flate"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

const (
	// zipEntries bounds an archive's directory, which is read as a whole: the
	// largest fat jars have 100,000 entries.
	zipEntries = 300_000
	// zipRecord bounds a manifest or a pom.properties, which the library reads
	// as a whole: signed jars have manifests of some megabytes.
	zipRecord = 16 << 20
	// zipRecords bounds all of them in one archive.
	zipRecords = 64 << 20
)

// errLimit is a limit that was hit.
var errLimit = errors.New("not looked into")

func javaArchive(base string) bool { return archive.IsArchive(base) }

// javaWalk is the way through an archive and those in it. The library could
// follow nested archives itself, but without a bound on what they unpack to.
type javaWalk struct {
	set      *Set
	location string // of the outermost archive
	budget   int64  // bytes that may still be read from inner archives
	room     int64  // bytes of inner archives that may still be held
	found    Found
}

func (s *Set) readJava(ctx context.Context, location string, content []byte) Found {
	w := javaWalk{set: s, location: location, budget: s.limits.Opened, room: s.limits.Held}
	w.walk(ctx, location, content, 1)
	w.found.Packages = unique(w.found.Packages)
	return w.found
}

func (w *javaWalk) walk(ctx context.Context, name string, content []byte, depth int) {
	zr, err := openZip(content)
	if err != nil {
		w.fail(name, err)
		return
	}
	found := w.set.readLibrary(ctx, Java, name, content)
	for i := range found.Packages {
		found.Packages[i].Location = w.location
	}
	w.found.Packages = append(w.found.Packages, found.Packages...)
	w.found.Notes = append(w.found.Notes, found.Notes...)
	for _, file := range zr.File {
		if !javaArchive(file.Name) || file.FileInfo().IsDir() {
			continue
		}
		inner := name + "/" + file.Name // names it in notes; nothing is written anywhere
		if err := ctx.Err(); err != nil {
			w.fail(inner, err)
			return
		}
		if depth >= w.set.limits.Nested {
			w.fail(inner, fmt.Errorf("%w: archives are nested more than %d deep (%s)", errLimit, w.set.limits.Nested, SettingNested))
			continue
		}
		content, err := w.open(file)
		if err != nil {
			w.fail(inner, err)
			continue
		}
		if w.set.limits.Hash {
			w.found.Inner = append(w.found.Inner, Fingerprint(w.location, content))
		}
		w.walk(ctx, inner, content, depth+1)
		w.room += int64(len(content))
	}
}

// open reads a nested archive into memory, as far as there is room for it. The
// size it claims counts, whether or not it has so much.
func (w *javaWalk) open(file *zip.File) ([]byte, error) {
	switch size := file.UncompressedSize64; {
	case size > uint64(max(0, w.budget)):
		return nil, fmt.Errorf("%w: the archives inside have more than %s together (%s)", errLimit, config.Size(w.set.limits.Opened), SettingOpened)
	case size > uint64(max(0, w.room)):
		return nil, fmt.Errorf("%w: the archives inside each other have more than %s (%s)", errLimit, config.Size(w.set.limits.Held), cmp.Or(w.set.limits.HeldBy, SettingHeld))
	}
	r, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	size := int64(file.UncompressedSize64) //nolint:gosec // not above the room
	w.budget -= size
	content := make([]byte, size)
	if _, err = io.ReadFull(r, content); err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(r, 1)) // the checksum is verified at the end
	}
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	w.room -= size
	return content, nil
}

func (w *javaWalk) fail(name string, err error) {
	w.found.fail(name, err)
}

// fail notes why something was not looked into.
func (f *Found) fail(name string, err error) {
	if errors.Is(err, errLimit) {
		f.cut("%s: %v", name, err)
		return
	}
	f.note(verdict.NoteFileUnreadable, "%s: %v", name, err)
}

// openZip opens an archive whose directory and records are of bearable size.
func openZip(content []byte) (*zip.Reader, error) {
	if bytes.Count(content, []byte("PK\x01\x02")) > zipEntries {
		return nil, fmt.Errorf("%w: more than %d entries, which is fixed", errLimit, zipEntries)
	}
	zr, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	zr.RegisterDecompressor(zip.Deflate, flate.NewReader) // faster than the standard one
	var sum uint64
	for _, file := range zr.File {
		base := path.Base(file.Name)
		if base != "pom.properties" && !strings.EqualFold(base, "manifest.mf") && languageKind(file.Name) != Python {
			continue
		}
		if file.UncompressedSize64 > zipRecord {
			return nil, fmt.Errorf("%w: %.200q has more than %s, which is fixed", errLimit, file.Name, config.Size(zipRecord))
		}
		if sum += file.UncompressedSize64; sum > zipRecords {
			return nil, fmt.Errorf("%w: its records have more than %s, which is fixed", errLimit, config.Size(zipRecords))
		}
	}
	return zr, nil
}

// unique drops packages that were found more than once at the same place.
func unique(pkgs []inventory.Package) []inventory.Package {
	seen := map[string]bool{}
	kept := pkgs[:0]
	for _, p := range pkgs {
		key := p.Name + "\x00" + p.Version + "\x00" + p.Arch
		if !seen[key] {
			seen[key] = true
			kept = append(kept, p)
		}
	}
	return kept
}
