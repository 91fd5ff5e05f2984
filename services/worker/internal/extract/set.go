// Package extract recognises installed packages in single files of a layer. It
// is the only place that knows the osv-scalibr library.
package extract

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/osv-scalibr/extractor/filesystem"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// engine is raised with every change here that changes an inventory.
const engine = 1

// patience bounds one file: the largest rpm database takes a second.
const patience = 30 * time.Second

// Limits bound what is read from archives inside an archive.
type Limits struct {
	Nested int   // depth, the outermost archive counted
	Opened int64 // bytes read from the inner archives of one outermost one
}

// Found is what one file held.
type Found struct {
	Packages []inventory.Package // with Location
	Owners   []inventory.Owner   // OS packages' file lists
	Notes    []verdict.Note      // without a layer
	Partial  bool                // a limit was hit; a note says which
}

// note adds a note about the file.
func (f *Found) note(code, format string, args ...any) {
	f.Notes = append(f.Notes, verdict.Note{Code: code, Message: fmt.Sprintf(format, args...)})
}

// Set is the set of extractors. It may be used by several goroutines at once.
type Set struct {
	version string
	limits  Limits
	library map[Kind]filesystem.Extractor
}

// New makes the set.
func New(limits Limits) (*Set, error) {
	quiet()
	library, err := newLibrary()
	if err != nil {
		return nil, err
	}
	return &Set{version: version(library), limits: limits, library: library}, nil
}

// Version identifies the extractors and their versions: two sets with the same
// one find the same in the same file.
func (s *Set) Version() string { return s.version }

func version(library map[Kind]filesystem.Extractor) string {
	var names strings.Builder
	for kind := range kinds {
		if e, ok := library[kind]; ok {
			fmt.Fprintf(&names, "%s/%d ", e.Name(), e.Version())
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/google/osv-scalibr" {
				names.WriteString(dep.Version)
			}
		}
	}
	sum := sha256.Sum256([]byte(names.String()))
	return "e" + strconv.Itoa(engine) + "-" + hex.EncodeToString(sum[:4])
}

// Wants tells whether the file may hold packages. Of an Executable the first
// bytes decide: see Binary.
func (s *Set) Wants(path string, info fs.FileInfo) bool {
	return KindOf(path, info.Mode()) != None
}

// Extract returns what the file holds. The path has no leading slash. Content
// that cannot be understood gives a note, never a panic.
func (s *Set) Extract(ctx context.Context, path string, info fs.FileInfo, content []byte) (found Found) {
	kind := KindOf(path, info.Mode())
	defer func() {
		if r := recover(); r != nil {
			// What was found before is kept out: it may be half written.
			found = Found{}
			found.note(verdict.NoteFileUnreadable, "%s: the %s reader gave up: %v", path, kind, r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch kind {
	case RPM:
		return readRPM(ctx, path, content)
	case NPM:
		return readNPM(path, content)
	case Java:
		return s.readJava(ctx, path, content)
	case DpkgList:
		return readDpkgList(path, content)
	case Dpkg, APK, Python, Executable:
		found = s.readLibrary(ctx, kind, path, content)
		if kind == APK {
			found.Owners = readAPKOwners(path, content)
		}
		return found
	default:
		return Found{}
	}
}
