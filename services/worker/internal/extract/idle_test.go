package extract

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// beginning is that of an ELF file with these segments.
func beginning(tb testing.TB, order binary.ByteOrder, segments ...elf.Prog64) []byte {
	tb.Helper()
	h := elf.Header64{Phoff: 64, Phnum: uint16(len(segments))}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	if order == binary.BigEndian {
		h.Ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	var buf bytes.Buffer
	for _, part := range []any{h, segments} {
		if err := binary.Write(&buf, order, part); err != nil {
			tb.Fatal(err)
		}
	}
	return buf.Bytes()
}

func load(flags elf.ProgFlag, from, size uint64) elf.Prog64 {
	return elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(flags), Off: from, Filesz: size}
}

func TestIdle(t *testing.T) {
	const size = 10_000
	code, constants, data := load(elf.PF_R|elf.PF_X, 0, 4000), load(elf.PF_R, 4000, 3000), load(elf.PF_R|elf.PF_W, 7000, 1000)
	usual := beginning(t, binary.LittleEndian, code, constants, data)
	head := int64(len(usual))
	tests := []struct {
		name      string
		head      []byte
		constants bool
		want      []Span
	}{
		{"code", usual, false, []Span{{head, 4000}}},
		{"code and constants", usual, true, []Span{{head, 4000}, {4000, 7000}}},
		{"the other byte order", beginning(t, binary.BigEndian, code, constants, data), true, []Span{{head, 4000}, {4000, 7000}}},
		{"in another order, one over the other", beginning(t, binary.LittleEndian, load(elf.PF_X, 5000, 1000), load(elf.PF_X, 400, 4900)), false, []Span{{400, 5300}, {5300, 6000}}},
		{"longer than the file", beginning(t, binary.LittleEndian, load(elf.PF_X, 9000, 1<<62), load(elf.PF_X, 1<<62, 1<<62)), false, []Span{{9000, size}}},
		{"cut short", usual[:100], true, nil},
		{"something else", []byte("MZ\x00\x00"), true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Idle(tt.head, size, tt.constants)); diff != "" {
				t.Errorf("idle parts (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzIdle(f *testing.F) {
	f.Add(beginning(f, binary.LittleEndian, load(elf.PF_X, 0, 1<<20), load(elf.PF_R, 1<<19, 1<<20)), int64(1<<21))
	f.Fuzz(func(t *testing.T, head []byte, size int64) {
		if size < int64(len(head)) {
			return
		}
		at := int64(len(head))
		for _, s := range Idle(head, size, true) {
			if s.From < at || s.To < s.From || s.To > size {
				t.Fatalf("part %+v behind %d of %d", s, at, size)
			}
			at = s.To
		}
	})
}

func TestNeedsConstants(t *testing.T) {
	mark := func(flags byte) []byte { return append([]byte("data"+goMark+"\x08"), flags) }
	for name, tt := range map[string]struct {
		content []byte
		want    bool
	}{
		"before Go 1.18": {mark(0), true}, "since": {mark(goInline), false}, "no mark": {[]byte("data"), false}, "cut": {mark(0)[:18], false},
	} {
		if got := NeedsConstants(tt.content); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
