package layer_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// bomb is an executable of zeros, with a package behind it.
func bomb(tb testing.TB, size int64) []byte {
	tb.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	if err := tw.WriteHeader(&tar.Header{Name: "bomb", Mode: 0o755, Size: size}); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.CopyN(tw, zeros{}, size); err != nil {
		tb.Fatal(err)
	}
	name, body := "node_modules/a/package.json", `{"name":"a","version":"1"}`
	if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.WriteString(tw, body); err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// TestBomb unpacks 3 GiB of zeros: it must end at the limits of ratio and of
// memory.
func TestBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("packing 3 GiB takes seconds")
	}
	blob := bomb(t, 3<<30)
	r := newReader(t, nil)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got, err := r.Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	limits := layer.DefaultLimits()
	if !got.Partial || got.Uncompressed > limits.RatioFrom+1<<20 || got.Size != int64(len(blob)) {
		t.Errorf("got partial %v, %d of %d bytes, unpacked %d", got.Partial, got.Size, len(blob), got.Uncompressed)
	}
	if len(got.Notes) != 1 || got.Notes[0].Code != verdict.NoteLayerPartial || got.Notes[0].Layer != got.Digest {
		t.Errorf("got notes %+v", got.Notes)
	}
	// All that was ever allocated, which is more than was held at one time.
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("allocated %d bytes", used)
	}
}

// Every limit that is hit leaves an inventory of what was seen before, which
// names the limit, its value and what sets it.
func TestLimits(t *testing.T) {
	modules := func(n int) []layertest.Entry {
		var all []layertest.Entry
		for i := range n {
			name := string(rune('a' + i))
			all = append(all, layertest.Entry{
				Name: "node_modules/" + name + "/package.json", Content: `{"name":"` + name + `","version":"1"}`,
			})
		}
		return all
	}
	long := strings.Repeat("d/", 200)
	large := append(modules(2), layertest.Entry{Name: "node_modules/x/package.json", Content: `{"name":"x","version":"1"` + long + `}`})
	program := func(name string) layertest.Entry {
		return layertest.Entry{Name: name, Content: "\x7fELF", Mode: 0o755}
	}
	tests := []struct {
		name    string
		change  func(*layer.Limits)
		entries []layertest.Entry
		want    int // packages; -1: some
		told    []string
	}{
		{"uncompressed", func(l *layer.Limits) { l.Uncompressed = 2000 }, modules(5), 1, []string{"2000B (LANDWAITER_LAYER_UNCOMPRESSED)"}},
		{
			"ratio", func(l *layer.Limits) { l.RatioFrom, l.Ratio = 1000, 5 }, modules(9), -1,
			[]string{"5 times its size (LANDWAITER_LAYER_RATIO)", "1000B (LANDWAITER_LAYER_RATIO_FROM)"},
		},
		{"entries", func(l *layer.Limits) { l.Entries = 3 }, modules(5), 3, []string{"3 entries (LANDWAITER_LAYER_ENTRIES)"}},
		{"packages", func(l *layer.Limits) { l.Packages = 2 }, modules(5), 2, []string{"2 packages (LANDWAITER_LAYER_PACKAGES)"}},
		{"file", func(l *layer.Limits) { l.File = 100 }, large, 2, []string{"node_modules/x/package.json has 426 bytes, more than 100B (LANDWAITER_LAYER_FILE)"}},
		{"buffered below file", func(l *layer.Limits) { l.Buffered = 100 }, large, 2, []string{"100B (LANDWAITER_LAYER_BUFFERED)"}},
		{"memory below file", func(l *layer.Limits) { *l = l.Within(160) }, large, 2, []string{"100B (GOMEMLIMIT)"}},
		{
			"path", func(l *layer.Limits) { l.PathLength = 100 },
			append(modules(2), layertest.Entry{Name: long + "node_modules/x/package.json", Content: `{"name":"x","version":"1"}`}), 2,
			[]string{"a path of 427 bytes, more than 100 (LANDWAITER_LAYER_PATH_LENGTH)"},
		},
		{
			"paths", func(l *layer.Limits) { l.Names = 10 },
			append([]layertest.Entry{{Name: ".wh.a"}, {Name: ".wh.bbbbbbbbbbb"}, {Name: "x", Link: "y"}}, modules(2)...), 2,
			[]string{"10B of whiteouts and links (LANDWAITER_LAYER_PATHS)"},
		},
		{
			"symbolic links", func(l *layer.Limits) { l.Names = 10 },
			append([]layertest.Entry{{Name: "a", Link: "b", Type: tar.TypeSymlink}, {Name: "c", Link: "ddddddddd", Type: tar.TypeSymlink}, {Name: "e", Link: "f", Type: tar.TypeSymlink}}, modules(2)...),
			2,
			[]string{"10B of symbolic links (LANDWAITER_LAYER_PATHS)"},
		},
		{
			"fingerprints", func(l *layer.Limits) { *l = l.WithFingerprints(); l.Hashed = 2 },
			append(modules(2), program("a"), program("b"), program("c")), 2,
			[]string{"2 files are to be hashed (LANDWAITER_LAYER_FINGERPRINTS)"},
		},
		{"time", func(l *layer.Limits) { l.Time = 0 }, modules(2), 0, []string{"longer than 0s (LANDWAITER_LAYER_TIME)"}},
		{
			"time of a file", func(l *layer.Limits) { l.Archives.Time = 0 }, modules(1), -1,
			[]string{"node_modules/a/package.json took longer than 0s (LANDWAITER_LAYER_FILE_TIME)"},
		},
		{"nested", func(l *layer.Limits) { l.Archives.Nested = 1 }, jars(t), 1, []string{"a.ear/b.jar: not looked into: archives are nested more than 1 deep (LANDWAITER_LAYER_NESTED)"}},
		{"opened", func(l *layer.Limits) { l.Archives.Opened = 10 }, jars(t), 1, []string{"10B together (LANDWAITER_LAYER_NESTED_OPENED)"}},
		{"held", func(l *layer.Limits) { l.Archives.Held = 10 }, jars(t), 1, []string{"10B (LANDWAITER_LAYER_NESTED_HELD)"}},
		{"memory below held", func(l *layer.Limits) { *l = l.Within(640 << 10); l.Archives.Held = 10 }, jars(t), 1, []string{"10B (GOMEMLIMIT)"}},
		{
			"os-release", func(*layer.Limits) {},
			append(modules(1), layertest.Entry{Name: "etc/os-release", Content: strings.Repeat("#", 64<<10+1)}), 1,
			[]string{"etc/os-release has more than 64KiB, which is fixed"},
		},
		{
			"package.json", func(*layer.Limits) {},
			append(modules(1), layertest.Entry{Name: "node_modules/x/package.json", Content: strings.Repeat(" ", 8<<20+1)}), 1,
			[]string{"8388609 bytes, more than 8MiB, which is fixed"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			blob := layertest.Gzip(t, 9, layertest.Tar(t, tt.entries...))
			got, err := newReader(t, tt.change).Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
			if err != nil {
				t.Fatal(err)
			}
			if !got.Partial || len(got.Notes) != 1 || got.Notes[0].Code != verdict.NoteLayerPartial {
				t.Fatalf("got partial %v, notes %+v", got.Partial, got.Notes)
			}
			for _, words := range tt.told {
				if !strings.Contains(got.Notes[0].Message, words) {
					t.Errorf("%q lacks %q", got.Notes[0].Message, words)
				}
			}
			if tt.want >= 0 && len(got.Packages) != tt.want {
				t.Errorf("got %d packages, want %d", len(got.Packages), tt.want)
			}
		})
	}
}

// jars is a module and an archive with an archive in it.
func jars(tb testing.TB) []layertest.Entry {
	tb.Helper()
	archive := func(name, content string) string {
		var buf bytes.Buffer
		w := zip.NewWriter(&buf)
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		if err := errors.Join(err, w.Close()); err != nil {
			tb.Fatal(err)
		}
		return buf.String()
	}
	inner := archive("META-INF/maven/g/b/pom.properties", "groupId=g\nartifactId=b\nversion=1\n")
	return []layertest.Entry{
		{Name: "node_modules/a/package.json", Content: `{"name":"a","version":"1"}`}, {Name: "a.ear", Content: archive("b.jar", inner)},
	}
}

// A blob beyond the limit cannot be verified: what says so is empty.
func TestCompressedLimit(t *testing.T) {
	blob := small(t)
	digest := layertest.Digest(blob)
	r := newReader(t, func(l *layer.Limits) { l.Compressed = 1000 })
	if _, err := r.Read(t.Context(), digest, bytes.NewReader(blob)); !errors.Is(err, layer.ErrTooLarge) {
		t.Errorf("read: %v", err)
	}
	if _, tooLarge := r.TooLarge(digest, 1000); tooLarge {
		t.Error("1000 bytes are too large")
	}
	got, tooLarge := r.TooLarge(digest, 1001)
	if !tooLarge || !got.Partial || got.Digest != digest || len(got.Packages)+len(got.Paths) != 0 || len(got.Notes) != 1 ||
		got.Notes[0].Code != verdict.NoteLayerPartial || !strings.Contains(got.Notes[0].Message, "1000B (LANDWAITER_LAYER_COMPRESSED)") {
		t.Errorf("got %t, %+v", tooLarge, got)
	}
}

// Entries in very deep folders, each time others, behind links that lead from
// one to the next: what is kept of them is bounded.
func TestDeepFolders(t *testing.T) {
	const entries = 3000
	deep := func(i int) string { return strings.Repeat(string(rune('a'+i%20))+"/", 2000) }
	all := []layertest.Entry{{Name: "a/a", Link: "../b/b", Type: tar.TypeSymlink}, {Name: "b/b", Link: strings.Repeat("../b/", 500) + "b", Type: tar.TypeSymlink}}
	for i := range entries {
		all = append(all, layertest.Entry{Name: deep(i) + string(rune('a'+i/20))})
	}
	blob := layertest.Gzip(t, 1, layertest.Tar(t, all...))
	r := newReader(t, func(l *layer.Limits) { l.Entries = 2 * entries })
	got, err := r.Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
	if err != nil || got.Partial {
		t.Fatalf("partial %t, %v", got.Partial, err)
	}
	if most := 128*20 + 20; len(got.Dirs) > most {
		t.Errorf("%d folders are kept, more than %d", len(got.Dirs), most)
	}
}

// A zstd frame that asks for more than is ever given.
func TestWindowLimit(t *testing.T) {
	frame := []byte("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00") // a window of 256 MiB
	got, err := newReader(t, nil).Read(t.Context(), layertest.Digest(frame), bytes.NewReader(frame))
	if err != nil || !got.Partial || len(got.Notes) != 1 || !strings.Contains(got.Notes[0].Message, "64MiB, which is fixed") {
		t.Errorf("got %v, %+v", err, got.Notes)
	}
}

// A worker of the size that the limits are made for has them all, and so do
// those with more: their inventories are of one engine.
func TestLimitsWithinMemory(t *testing.T) {
	usual := layer.DefaultLimits()
	for _, memory := range []int64{488 << 20, 2 << 30, math.MaxInt64} {
		if got := usual.Within(memory); got != usual {
			t.Errorf("within %d: %+v", memory, got)
		}
	}
	small := usual.Within(104 << 20)
	if small.File != 65<<20 || small.File+small.Archives.Held != small.Buffered || small.Buffered != 91<<20 {
		t.Errorf("within 104 MiB: %+v", small)
	}
}

// Every limit changes what is seen, and so belongs into the key.
func TestLimitsKey(t *testing.T) {
	usual := layer.DefaultLimits()
	keys := map[string]string{usual.Key(): "none"}
	if usual.Key() != layer.DefaultLimits().Key() {
		t.Error("equal limits have different keys")
	}
	try := func(name string, of func(*layer.Limits) reflect.Value) {
		changed := usual
		switch v := of(&changed); v.Kind() {
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.String:
			v.SetString("other")
		default:
			v.SetInt(v.Int() + 1)
		}
		if same, ok := keys[changed.Key()]; ok {
			t.Errorf("another %s gives the key of another %s", name, same)
		}
		keys[changed.Key()] = name
	}
	limits, archives := reflect.TypeFor[layer.Limits](), reflect.TypeFor[extract.Limits]()
	for i := range limits.NumField() {
		if name := limits.Field(i).Name; name != "Archives" {
			try(name, func(l *layer.Limits) reflect.Value { return reflect.ValueOf(l).Elem().Field(i) })
		}
	}
	for i := range archives.NumField() {
		try(archives.Field(i).Name, func(l *layer.Limits) reflect.Value { return reflect.ValueOf(&l.Archives).Elem().Field(i) })
	}
}
