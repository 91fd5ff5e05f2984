// Package extract recognises installed packages in single files of a layer. It
// is the only place that knows the osv-scalibr library.
package extract

import (
	"bytes"
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

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// engine is raised with every change here that changes an inventory and is not
// the work of one reader.
const engine = 2

// readers are this package's own, each with a number that is raised with every
// change to it that changes what it finds.
func readers() map[Kind]int {
	return map[Kind]int{
		Dpkg: 2, DpkgList: 2, APK: 2, RPM: 2, NPM: 2, Java: 3, DotNet: 1, Composer: 1, R: 1, Conda: 1, Bitnami: 1, Pacman: 1, Portage: 1, Executable: 2,
	}
}

// The environment variables that set the limits: notes name them.
const (
	SettingNested = "LANDWAITER_LAYER_NESTED"
	SettingOpened = "LANDWAITER_LAYER_NESTED_OPENED"
	SettingHeld   = "LANDWAITER_LAYER_NESTED_HELD"
	SettingTime   = "LANDWAITER_LAYER_FILE_TIME"
)

// Limits bound what is read from archives inside an archive, and how long one
// file may take.
type Limits struct {
	Nested int           // depth, the outermost archive counted
	Opened int64         // bytes read from the inner archives of one outermost one
	Held   int64         // bytes of inner archives in memory at one moment, for one outermost one
	HeldBy string        // what sets Held; blank: SettingHeld
	Time   time.Duration // of one file
	Hash   bool          // take the fingerprints of inner archives too
}

// Found is what one file held.
type Found struct {
	Packages []inventory.Package     // with Location
	Owners   []inventory.Owner       // OS packages' file lists
	Inner    []inventory.Fingerprint // of the archives inside an archive, where Limits.Hash asks for them
	Notes    []verdict.Note          // without a layer
	Partial  bool                    // a limit was hit; a note says which
}

// cut notes that a limit was hit.
func (f *Found) cut(format string, args ...any) {
	f.Partial = true
	f.note(verdict.NoteLayerPartial, format, args...)
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
	return &Set{version: version(library, readers(), libraryVersion()), limits: limits, library: library}, nil
}

// Version identifies the extractors and their versions: two sets with the same
// one find the same in the same file.
func (s *Set) Version() string { return s.version }

// version changes with the library, with the set of readers and with the
// version of any one of them, and with nothing else.
func version(library map[Kind]filesystem.Extractor, own map[Kind]int, libraryVersion string) string {
	var names strings.Builder
	for kind := range kinds {
		if e, ok := library[kind]; ok {
			fmt.Fprintf(&names, "%s/%d ", e.Name(), e.Version())
		}
		if number, ok := own[kind]; ok {
			fmt.Fprintf(&names, "own %s/%d ", kind, number)
		}
	}
	names.WriteString(libraryVersion)
	sum := sha256.Sum256([]byte(names.String()))
	return "e" + strconv.Itoa(engine) + "-" + hex.EncodeToString(sum[:4])
}

func libraryVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/google/osv-scalibr" {
				return dep.Version
			}
		}
	}
	return ""
}

// Wants tells whether the file may hold packages. Of an Executable the first
// bytes decide: see Binary.
func (s *Set) Wants(path string, info fs.FileInfo) bool {
	return KindOf(path, info.Mode()) != None
}

// Extract returns what the file holds. The path has no leading slash. Content
// that cannot be understood gives a note, never a panic.
func (s *Set) Extract(ctx context.Context, path string, info fs.FileInfo, content []byte) Found {
	hurried, cancel := context.WithTimeout(ctx, s.limits.Time)
	defer cancel()
	found := s.extract(hurried, path, KindOf(path, info.Mode()), content)
	if hurried.Err() != nil && ctx.Err() == nil {
		found.cut("%s took longer than %s (%s); the rest of it was left out", path, config.Duration(s.limits.Time), SettingTime)
	}
	return found
}

func (s *Set) extract(ctx context.Context, path string, kind Kind, content []byte) (found Found) {
	defer func() {
		if r := recover(); r != nil {
			// What was found before is kept out: it may be half written.
			found = Found{}
			found.note(verdict.NoteFileUnreadable, "%s: the %s reader gave up: %v", path, kind, r)
		}
	}()
	if read := record(kind); read != nil {
		return read(path, content)
	}
	switch kind {
	case RPM:
		return readRPM(ctx, path, content)
	case Java:
		return s.readJava(ctx, path, content)
	case Executable:
		return s.readProgram(ctx, path, content)
	case Dpkg, Python, Gem, DotNet, VSCode:
		return s.readLibrary(ctx, kind, path, content)
	default:
		return Found{}
	}
}

// record is the reader of a kind of file that is read by itself; nil: it is
// none of these.
func record(kind Kind) func(location string, content []byte) Found {
	switch kind {
	case NPM:
		return readNPM
	case DpkgList:
		return readDpkgList
	case APK:
		return readAPK
	case Composer:
		return readComposer
	case R:
		return readR
	case Conda:
		return readConda
	case Bitnami:
		return readBitnami
	case Pacman:
		return readPacman
	case Portage:
		return readPortage
	default:
		return nil
	}
}

// readProgram looks for what compilers leave of a program's dependencies.
func (s *Set) readProgram(ctx context.Context, path string, content []byte) Found {
	found := s.readLibrary(ctx, Executable, path, content)
	for _, more := range []Found{readRust(path, content), s.readBundle(ctx, path, content)} {
		found.Packages = append(found.Packages, more.Packages...)
		found.Notes = append(found.Notes, more.Notes...)
	}
	if len(found.Packages) == 0 && upxPacked(content) {
		found.note(verdict.NoteFileUnreadable, "%s: packed by UPX, which hides what it was built of", path)
	}
	return found
}

// upxPacked knows programs that UPX compressed by its mark in their headers.
func upxPacked(content []byte) bool {
	return bytes.Contains(content[:min(len(content), 4096)], []byte("UPX!"))
}
