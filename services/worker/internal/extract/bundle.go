package extract

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// bundleMark stands in the program that .NET's single-file publishing puts in
// front of an application: the SHA-256 of ".net core bundle". The eight bytes
// before it are the offset of the bundle's header, 0 where there is no bundle.
const bundleMark = "\x8b\x12\x02\xb9\x6a\x61\x20\x38\x72\x7b\x93\x02\x14\xd7\xa0\x32\x13\xf5\xb9\xe6\xef\xae\x33\x18\xee\x3b\x2d\xce\x24\xb3\x6a\xae"

// readBundle reads the deps.json inside a .NET application of a single file.
func (s *Set) readBundle(ctx context.Context, location string, content []byte) Found {
	deps := bundledDeps(content)
	if deps == nil {
		return Found{}
	}
	found := s.readLibrary(ctx, DotNet, location, deps)
	for i := range found.Packages {
		found.Packages[i].Evidence = inventory.File
	}
	return found
}

// bundledDeps cuts the deps.json out; nil: there is none. Bundles before
// version 2, of .NET Core 3, do not say where it is.
func bundledDeps(content []byte) []byte {
	const fixed = 12 // major and minor version, number of files
	mark := bytes.Index(content, []byte(bundleMark))
	if mark < 8 {
		return nil
	}
	header := slice(content, binary.LittleEndian.Uint64(content[mark-8:]), fixed+1)
	if header == nil || binary.LittleEndian.Uint32(header) < 2 {
		return nil
	}
	// The bundle's id: its length in one byte, as it is of 12 letters, and it.
	at := binary.LittleEndian.Uint64(content[mark-8:]) + fixed + 1 + uint64(header[fixed])
	place := slice(content, at, 16)
	if place == nil {
		return nil
	}
	return slice(content, binary.LittleEndian.Uint64(place), binary.LittleEndian.Uint64(place[8:]))
}

// slice is a part of the content; nil: it is not all there, or empty.
func slice(content []byte, offset, size uint64) []byte {
	all := uint64(len(content))
	if offset == 0 || size == 0 || offset > all || size > all-offset {
		return nil
	}
	return content[offset:][:size]
}
