package rpmdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"strings"
)

// The tags of a package header that are used here.
const (
	tagName       = 1000
	tagVersion    = 1001
	tagRelease    = 1002
	tagEpoch      = 1003
	tagVendor     = 1011
	tagLicense    = 1014
	tagArch       = 1022
	tagSource     = 1044
	tagDirIndexes = 1116
	tagBaseNames  = 1117
	tagDirNames   = 1118
	tagModule     = 5096
)

// The types of a tag's data.
const (
	typeInt32       = 4
	typeString      = 6
	typeStringArray = 8
	typeI18NString  = 9
)

// entrySize is the size of one entry of a header's index.
const entrySize = 16

// header gives access to the data of a package header's tags.
type header struct {
	index []byte // entries of tag, type, offset, count
	data  []byte
}

// parseHeader takes the package's paths from the budget; with none left it has
// no files.
func parseHeader(raw []byte, budget *int) (Package, error) {
	if len(raw) < 8 {
		return Package{}, fmt.Errorf("header of %d bytes: %w", len(raw), ErrFormat)
	}
	entries, size := uint64(binary.BigEndian.Uint32(raw)), uint64(binary.BigEndian.Uint32(raw[4:]))
	raw = raw[8:]
	if entries*entrySize+size > uint64(len(raw)) {
		return Package{}, fmt.Errorf("header with %d tags in %d bytes: %w", entries, len(raw), ErrFormat)
	}
	h := header{index: raw[:entries*entrySize], data: raw[entries*entrySize:][:size]}
	p := Package{
		Name: h.text(tagName), Version: h.text(tagVersion), Release: h.text(tagRelease), Arch: h.text(tagArch),
		Source: h.text(tagSource), Vendor: h.text(tagVendor), License: h.text(tagLicense), Module: h.text(tagModule),
		Files: h.files(budget),
	}
	if epoch := h.numbers(tagEpoch); len(epoch) > 0 {
		p.Epoch = int(epoch[0])
	}
	return p, nil
}

// find returns the data from where a tag's begins, with its type and count. Of
// a repeated tag the last counts, as rpm appends what it changes.
func (h header) find(tag uint32) (data []byte, kind, count uint32) {
	for at := len(h.index) - entrySize; at >= 0; at -= entrySize {
		entry := h.index[at:]
		if binary.BigEndian.Uint32(entry) != tag {
			continue
		}
		offset := binary.BigEndian.Uint32(entry[8:])
		if uint64(offset) > uint64(len(h.data)) {
			return nil, 0, 0
		}
		return h.data[offset:], binary.BigEndian.Uint32(entry[4:]), binary.BigEndian.Uint32(entry[12:])
	}
	return nil, 0, 0
}

func (h header) text(tag uint32) string {
	if all := h.texts(tag, 1); len(all) > 0 && all[0] != "(none)" {
		return all[0]
	}
	return ""
}

func (h header) texts(tag, limit uint32) []string {
	data, kind, count := h.find(tag)
	if kind != typeString && kind != typeStringArray && kind != typeI18NString {
		return nil
	}
	var all []string
	for range min(count, limit) {
		end := bytes.IndexByte(data, 0)
		if end < 0 {
			break
		}
		all = append(all, string(data[:end]))
		data = data[end+1:]
	}
	return all
}

func (h header) numbers(tag uint32) []uint32 {
	data, kind, count := h.find(tag)
	if kind != typeInt32 || uint64(count)*4 > uint64(len(data)) {
		return nil
	}
	all := make([]uint32, count)
	for i := range all {
		all[i] = binary.BigEndian.Uint32(data[4*i:])
	}
	return all
}

func (h header) files(budget *int) []string {
	const all = ^uint32(0)
	names, dirs, indexes := h.texts(tagBaseNames, all), h.texts(tagDirNames, all), h.numbers(tagDirIndexes)
	if len(indexes) != len(names) {
		return nil
	}
	files := make([]string, 0, len(names))
	for i, name := range names {
		if uint64(indexes[i]) >= uint64(len(dirs)) {
			return nil
		}
		// A directory's name is written once, for any number of files.
		if *budget -= len(dirs[indexes[i]]) + len(name); *budget < 0 {
			return nil
		}
		files = append(files, strings.TrimPrefix(path.Join("/", dirs[indexes[i]], name), "/"))
	}
	return files
}
