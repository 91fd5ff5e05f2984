package extract

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

const crates = `{"packages":[
  {"name":"app","version":"0.1.0","source":"local","root":true,"dependencies":[1,2]},
  {"name":"time","version":"0.1.44","source":"crates.io"},
  {"name":"cc","version":"1.0.79","source":"crates.io","kind":"build"}
]}`

func packed(tb testing.TB, text string) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := zlib.NewWriter(&buf)
	if _, err := w.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// program is an ELF file with nothing but one section.
func program(tb testing.TB, section string, content []byte) string {
	tb.Helper()
	names := "\x00" + section + "\x00.shstrtab\x00"
	head := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2,
	}
	head.Shoff = uint64(64 + len(content) + len(names))
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: 64, Size: uint64(len(content))},
		{Name: uint32(2 + len(section)), Type: uint32(elf.SHT_STRTAB), Off: uint64(64 + len(content)), Size: uint64(len(names))},
	}
	var buf bytes.Buffer
	for _, part := range []any{head, content, []byte(names), sections} {
		if err := binary.Write(&buf, binary.LittleEndian, part); err != nil {
			tb.Fatal(err)
		}
	}
	return buf.String()
}

func TestExtractRust(t *testing.T) {
	tests := []struct {
		name, content string
		want          []string
		note          string
	}{
		{"crates", program(t, ".dep-v0", packed(t, crates)), []string{"app@0.1.0", "time@0.1.44"}, ""},
		{"no list", program(t, ".text", packed(t, crates)), []string{}, ""},
		{"not packed", program(t, ".dep-v0", []byte(crates)), []string{}, verdict.NoteFileUnreadable},
		{"cut", program(t, ".dep-v0", packed(t, crates)[:60]), []string{}, verdict.NoteFileUnreadable},
		{"no JSON", program(t, ".dep-v0", packed(t, "x")), []string{}, verdict.NoteFileUnreadable},
		{"bomb", program(t, ".dep-v0", packed(t, crates+strings.Repeat(" ", rustSize))), []string{}, verdict.NoteFileUnreadable},
		{"broken program", program(t, ".dep-v0", packed(t, crates))[:80], []string{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, newSet(t), "usr/bin/app", tt.content)
			if diff := cmp.Diff(tt.want, names(got)); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
			}
			if (len(got.Notes) > 0) != (tt.note != "") || len(got.Notes) > 0 && got.Notes[0].Code != tt.note {
				t.Errorf("got notes %+v, want %q", got.Notes, tt.note)
			}
			for _, p := range got.Packages {
				if p.Type != "cargo" || p.Evidence != inventory.File {
					t.Errorf("got %+v", p)
				}
			}
		})
	}
}

// TestExtractRealRust puts the section into a program of the Rust compiler's,
// in the way cargo-auditable has the linker do it.
func TestExtractRealRust(t *testing.T) {
	for _, tool := range []string{"rustc", "objcopy"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"main.rs": []byte("fn main() {}\n"), "list": packed(t, crates)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range [][]string{
		{"rustc", "-o", "app", "main.rs"}, {"objcopy", "--add-section", ".dep-v0=list", "app", "audited"},
	} {
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("%s: %v\n%s", command[0], err, out)
		}
	}
	for name, want := range map[string][]string{"app": {}, "audited": {"app@0.1.0", "time@0.1.44"}} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got := run(t, newSet(t), "usr/bin/"+name, string(content))
		if diff := cmp.Diff(want, names(got)); diff != "" || len(got.Notes) > 0 {
			t.Errorf("%s: notes %v, packages differ (-want +got):\n%s", name, got.Notes, diff)
		}
	}
}
