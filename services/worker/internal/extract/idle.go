package extract

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"io"
	"slices"
)

// ProgramHead is how many of a program's first bytes tell where its parts are.
const ProgramHead = 64 << 10

// Span is a part of a file, in bytes: From is in it, To is not.
type Span struct{ From, To int64 }

// Idle lists the parts of a program that no reader looks into, in order: its
// code and, where that is asked for, its constants. head is at most its first
// ProgramHead bytes, which are in no part. Only ELF says so at its beginning;
// of other programs everything is looked into.
func Idle(head []byte, size int64, constants bool) []Span {
	var idle []Span
	for _, s := range segments(head) {
		used := s.Flags&elf.PF_W != 0 || s.Flags&elf.PF_X == 0 && !constants
		if s.Type != elf.PT_LOAD || used || s.Off > uint64(size) { //nolint:gosec // a size
			continue
		}
		from := int64(s.Off)                                  //nolint:gosec // not above size
		to := from + int64(min(s.Filesz, uint64(size)-s.Off)) //nolint:gosec // the same
		if from = max(from, int64(len(head))); to > from {
			idle = append(idle, Span{from, to})
		}
	}
	slices.SortFunc(idle, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	for i := 1; i < len(idle); i++ { // in an order that is also one of no overlaps
		idle[i].From = max(idle[i].From, idle[i-1].To)
		idle[i].To = max(idle[i].To, idle[i].From)
	}
	return idle
}

// segments reads the program headers; none where they are not all in head.
func segments(head []byte) []elf.ProgHeader {
	if len(head) < elf.EI_NIDENT || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	r := bytes.NewReader(head)
	switch elf.Class(head[elf.EI_CLASS]) {
	case elf.ELFCLASS64:
		var h elf.Header64
		if binary.Read(r, order, &h) != nil {
			return nil
		}
		return table(head, order, h.Phoff, h.Phnum, func(p elf.Prog64) elf.ProgHeader {
			return elf.ProgHeader{Type: elf.ProgType(p.Type), Flags: elf.ProgFlag(p.Flags), Off: p.Off, Filesz: p.Filesz}
		})
	case elf.ELFCLASS32:
		var h elf.Header32
		if binary.Read(r, order, &h) != nil {
			return nil
		}
		return table(head, order, uint64(h.Phoff), h.Phnum, func(p elf.Prog32) elf.ProgHeader {
			return elf.ProgHeader{Type: elf.ProgType(p.Type), Flags: elf.ProgFlag(p.Flags), Off: uint64(p.Off), Filesz: uint64(p.Filesz)}
		})
	default:
		return nil
	}
}

func table[T any](head []byte, order binary.ByteOrder, at uint64, count uint16, header func(T) elf.ProgHeader) []elf.ProgHeader {
	if at > uint64(len(head)) {
		return nil
	}
	entries := make([]T, count)
	if err := binary.Read(io.LimitReader(bytes.NewReader(head[at:]), int64(len(head))), order, entries); err != nil {
		return nil
	}
	all := make([]elf.ProgHeader, 0, count)
	for _, e := range entries {
		all = append(all, header(e))
	}
	return all
}

// goMark begins what Go's linker tells of a program. Since Go 1.18 the texts
// stand behind it, as a bit says; before, among the constants.
const (
	goMark   = "\xff Go buildinf:"
	goInline = 2
)

// NeedsConstants tells whether a program can be understood only with its
// constants.
func NeedsConstants(content []byte) bool {
	at := bytes.Index(content, []byte(goMark))
	const flags = 15
	return at >= 0 && at+flags < len(content) && content[at+flags]&goInline == 0
}
