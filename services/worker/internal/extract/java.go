package extract

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/google/osv-scalibr/extractor/filesystem/language/java/archive"

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

var (
	errNested  = errors.New("archives are nested too deeply")
	errOpened  = errors.New("too many bytes in nested archives")
	errRecords = errors.New("archive has too many or too large entries")
)

func javaArchive(base string) bool { return archive.IsArchive(base) }

// javaWalk is the way through an archive and those in it. The library could
// follow nested archives itself, but without a bound on what they unpack to.
type javaWalk struct {
	set      *Set
	location string // of the outermost archive
	budget   int64
	found    Found
}

func (s *Set) readJava(ctx context.Context, location string, content []byte) Found {
	w := javaWalk{set: s, location: location, budget: s.limits.Opened}
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
			w.fail(inner, errNested)
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
	}
}

// open reads a nested archive as far as the budget allows.
func (w *javaWalk) open(file *zip.File) ([]byte, error) {
	if file.UncompressedSize64 > uint64(max(w.budget, 0)) {
		return nil, errOpened
	}
	r, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	content, err := io.ReadAll(io.LimitReader(r, w.budget))
	w.budget -= int64(len(content))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return content, nil
}

func (w *javaWalk) fail(name string, err error) {
	code := verdict.NoteFileUnreadable
	if errors.Is(err, errNested) || errors.Is(err, errOpened) || errors.Is(err, errRecords) {
		code, w.found.Partial = verdict.NoteLayerPartial, true
	}
	w.found.note(code, "%s: %v", name, err)
}

// openZip opens an archive whose directory and records are of bearable size.
func openZip(content []byte) (*zip.Reader, error) {
	if bytes.Count(content, []byte("PK\x01\x02")) > zipEntries {
		return nil, errRecords
	}
	zr, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	var sum uint64
	for _, file := range zr.File {
		base := path.Base(file.Name)
		if base != "pom.properties" && !strings.EqualFold(base, "manifest.mf") && languageKind(file.Name) != Python {
			continue
		}
		if file.UncompressedSize64 > zipRecord {
			return nil, errRecords
		}
		if sum += file.UncompressedSize64; sum > zipRecords {
			return nil, errRecords
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
