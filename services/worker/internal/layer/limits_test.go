package layer_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
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
	tests := []struct {
		name    string
		change  func(*layer.Limits)
		entries []layertest.Entry
		want    int // packages
	}{
		{"uncompressed", func(l *layer.Limits) { l.Uncompressed = 2000 }, modules(5), 1},
		{"ratio", func(l *layer.Limits) { l.RatioFrom, l.Ratio = 1000, 5 }, modules(9), -1},
		{"entries", func(l *layer.Limits) { l.Entries = 3 }, modules(5), 3},
		{"packages", func(l *layer.Limits) { l.Packages = 2 }, modules(5), 2},
		{
			"file", func(l *layer.Limits) { l.File = 100 },
			append(modules(2), layertest.Entry{Name: "node_modules/x/package.json", Content: `{"name":"x","version":"1"` + long + `}`}), 2,
		},
		{
			"buffered below file", func(l *layer.Limits) { l.Buffered = 100 },
			append(modules(2), layertest.Entry{Name: "node_modules/x/package.json", Content: `{"name":"x","version":"1"` + long + `}`}), 2,
		},
		{
			"path", func(l *layer.Limits) { l.PathLength = 100 },
			append(modules(2), layertest.Entry{Name: long + "node_modules/x/package.json", Content: `{"name":"x","version":"1"}`}), 2,
		},
		{
			"names", func(l *layer.Limits) { l.Names = 10 },
			append([]layertest.Entry{{Name: ".wh.a"}, {Name: ".wh.bbbbbbbbbbb"}, {Name: "x", Link: "y"}}, modules(2)...), 2,
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
				t.Errorf("got partial %v, notes %+v", got.Partial, got.Notes)
			}
			if tt.want >= 0 && len(got.Packages) != tt.want {
				t.Errorf("got %d packages, want %d", len(got.Packages), tt.want)
			}
		})
	}
}

func TestLimitsKey(t *testing.T) {
	a, b := layer.DefaultLimits(), layer.DefaultLimits()
	if a.Key() != b.Key() {
		t.Error("equal limits have different keys")
	}
	b.Archives.Nested++
	if a.Key() == b.Key() {
		t.Error("different limits have the same key")
	}
}
