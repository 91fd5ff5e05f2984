package extract

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

const (
	// rustSection is where cargo-auditable puts a program's dependencies, as
	// JSON compressed with zlib: see its PARSING.md.
	rustSection = ".dep-v0"
	// rustSize bounds the JSON, which is some kilobytes, 1 MiB at the most. The
	// library's reader has no bound.
	rustSize = 16 << 20
)

var errRustSize = errors.New("the list of crates is too large")

// crate is one of the packages in the list. Kind is empty for what is linked
// into the program and "build" for what only helped to make it.
type crate struct{ Name, Version, Kind string }

// readRust reads the crates of a Rust program. A program that names none says
// nothing: most are not made by cargo-auditable.
func readRust(location string, content []byte) (found Found) {
	packed := rustList(content)
	if packed == nil {
		return found
	}
	crates, err := unpackRust(packed)
	if err != nil {
		found.note(verdict.NoteFileUnreadable, "%s: crates of a Rust program: %v", location, err)
		return found
	}
	for _, c := range crates {
		if c.Kind == "build" || c.Name == "" || c.Version == "" {
			continue
		}
		found.Packages = append(found.Packages, inventory.Package{
			Type: "cargo", Name: c.Name, Version: c.Version, Evidence: inventory.File, Location: location,
		})
	}
	return found
}

func unpackRust(packed io.Reader) ([]crate, error) {
	zr, err := zlib.NewReader(packed)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(zr, rustSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > rustSize {
		return nil, errRustSize
	}
	var list struct{ Packages []crate }
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("list of crates: %w", err)
	}
	return list.Packages, nil
}

// rustList finds the section in a program; nil: it has none, or is no program
// that could be taken apart.
func rustList(content []byte) io.Reader {
	r := bytes.NewReader(content)
	switch {
	case bytes.HasPrefix(content, []byte("\x7fELF")):
		if f, err := elf.NewFile(r); err == nil {
			// One compressed by the linker could unpack to any size.
			if s := f.Section(rustSection); s != nil && s.Flags&elf.SHF_COMPRESSED == 0 {
				return s.Open()
			}
		}
	case bytes.HasPrefix(content, []byte("MZ")):
		if f, err := pe.NewFile(r); err == nil {
			if s := f.Section(rustSection); s != nil {
				return s.Open()
			}
		}
	default:
		if f, err := macho.NewFile(r); err == nil {
			if s := f.Section(rustSection); s != nil {
				return s.Open()
			}
		}
	}
	return nil
}
