package extract

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/depsjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/gobinary"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/archive"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/wheelegg"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemspec"
	"github.com/google/osv-scalibr/extractor/filesystem/misc/vscodeextensions"
	"github.com/google/osv-scalibr/extractor/filesystem/os/dpkg"
	scalibrlog "github.com/google/osv-scalibr/log"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// newLibrary makes the library's extractors one by one: its own lists would
// link all of them.
func newLibrary() (map[Kind]filesystem.Extractor, error) {
	hash := false
	// Nested archives are followed in java.go.
	java := &cpb.PluginConfig{PluginSpecific: []*cpb.PluginSpecificConfig{{
		Config: &cpb.PluginSpecificConfig_JavaArchive{JavaArchive: &cpb.JavaArchiveConfig{HashJars: &hash, MaxZipDepth: 1}},
	}}}
	// Which of them count is decided in convert.go.
	debian := &cpb.PluginConfig{PluginSpecific: []*cpb.PluginSpecificConfig{{
		Config: &cpb.PluginSpecificConfig_Dpkg{Dpkg: &cpb.DpkgConfig{IncludeNotInstalled: true}},
	}}}
	library := map[Kind]filesystem.Extractor{}
	for kind, construct := range map[Kind]func() (filesystem.Extractor, error){
		Dpkg:       func() (filesystem.Extractor, error) { return dpkg.New(debian) },
		Python:     func() (filesystem.Extractor, error) { return wheelegg.New(&cpb.PluginConfig{}) },
		Executable: func() (filesystem.Extractor, error) { return gobinary.New(&cpb.PluginConfig{}) },
		Gem:        func() (filesystem.Extractor, error) { return gemspec.New(&cpb.PluginConfig{}) },
		DotNet:     func() (filesystem.Extractor, error) { return depsjson.New(&cpb.PluginConfig{}) },
		VSCode:     func() (filesystem.Extractor, error) { return vscodeextensions.New(&cpb.PluginConfig{}) },
		Java:       func() (filesystem.Extractor, error) { return archive.New(java) },
	} {
		e, err := construct()
		if err != nil {
			return nil, fmt.Errorf("make %s extractor: %w", kind, err)
		}
		library[kind] = e
	}
	return library, nil
}

// readLibrary runs one of the library's extractors over a file.
func (s *Set) readLibrary(ctx context.Context, kind Kind, name string, content []byte) (found Found) {
	packed := strings.HasSuffix(name, ".egg") || strings.HasSuffix(name, ".whl")
	if kind == Python && packed {
		if _, err := openZip(content); err != nil {
			found.fail(name, err)
			return found
		}
	}
	if kind == Gem || kind == Python && !packed {
		content = shorten(content)
	}
	result, err := s.library[kind].Extract(ctx, &filesystem.ScanInput{
		FS: noFiles{}, Path: name, Info: fileInfo{name: path.Base(name), size: int64(len(content))}, Reader: bytes.NewReader(content),
	})
	if err = expected(kind, err); err != nil {
		found.note(verdict.NoteFileUnreadable, "%s: %v", name, err)
	}
	for _, p := range result.Packages {
		if p != nil {
			convert(kind, name, p, &found)
		}
	}
	return found
}

// shorten drops the lines that are too long for the library, which then reads
// nothing of the file: a gem's list of its files, an image in a description.
// Names and versions are short.
func shorten(content []byte) []byte {
	const longest = bufio.MaxScanTokenSize - 1
	if len(content) <= longest {
		return content
	}
	short := make([]byte, 0, len(content))
	for line := range bytes.Lines(content) {
		if len(line) < longest {
			short = append(short, line...)
		}
	}
	return short
}

// expected takes out of an error what is in order: what the Java extractor says
// about nested archives, which are read elsewhere, and that a list of .NET's is
// empty, as of other programs' files of that name.
func expected(kind Kind, err error) error {
	if kind == DotNet && err != nil && strings.Contains(err.Error(), "no libraries found") {
		return nil
	}
	if kind != Java || err == nil {
		return err
	}
	all := []error{errors.Unwrap(err)}
	if many, ok := all[0].(interface{ Unwrap() []error }); ok {
		all = many.Unwrap()
	}
	var rest []error
	for _, one := range all {
		if one != nil && !strings.Contains(one.Error(), "reached max zip depth") {
			rest = append(rest, one)
		}
	}
	return errors.Join(rest...)
}

// noFiles is the file system around a file of a layer: nothing is there yet.
type noFiles struct{}

func (noFiles) Open(name string) (fs.File, error)          { return nil, missing("open", name) }
func (noFiles) ReadDir(name string) ([]fs.DirEntry, error) { return nil, missing("readdir", name) }
func (noFiles) Stat(name string) (fs.FileInfo, error)      { return nil, missing("stat", name) }

func missing(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// fileInfo describes a buffered file.
type fileInfo struct {
	name string
	size int64
}

func (i fileInfo) Name() string     { return i.name }
func (i fileInfo) Size() int64      { return i.size }
func (fileInfo) Mode() fs.FileMode  { return 0o755 }
func (fileInfo) ModTime() time.Time { return time.Time{} }
func (fileInfo) IsDir() bool        { return false }
func (fileInfo) Sys() any           { return nil }

// quiet turns the library's own log off: what matters it returns, and what it
// logs is text from the layer. The library keeps one logger for the process, so
// it is set once, before the first extractor runs.
//
//nolint:gochecknoglobals // guards the library's global
var quiet = sync.OnceFunc(func() { scalibrlog.SetLogger(silence{}) })

type silence struct{}

func (silence) Errorf(string, ...any) {}
func (silence) Error(...any)          {}
func (silence) Warnf(string, ...any)  {}
func (silence) Warn(...any)           {}
func (silence) Infof(string, ...any)  {}
func (silence) Info(...any)           {}
func (silence) Debugf(string, ...any) {}
func (silence) Debug(...any)          {}
