package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"

	"github.com/landwaiter/landwaiter/test/harness"
)

// memoryMost is what a worker may have resident at any time, in bytes, where
// GOMEMLIMIT says 128 MiB: the rest is its program and what it maps.
const memoryMost = 160 << 20

// Whatever an image holds, and with three layers in flight: a worker stays
// within its memory, and says what it left out.
func TestMemoryOfAWorker(t *testing.T) {
	in, _ := separate(t)
	in.common = append(in.common, "GOMEMLIMIT=128MiB", "LANDWAITER_LAYERS=3")
	worker := in.worker("first")
	debian := harness.Debian(t, packages...).Image(t)
	tests := []struct {
		name   string
		layers []v1.Layer
		whole  bool // the report is complete
	}{
		{"a real image", nil, true},
		{"large programs", []v1.Layer{programs(t, 1), programs(t, 2), programs(t, 3)}, true},
		{"large archives", []v1.Layer{archives(t, 1, quickly), archives(t, 2, quickly), archives(t, 3, quickly)}, true},
		{"large archives in zstd", []v1.Layer{archives(t, 4, windowed(8<<20)), archives(t, 5, windowed(8<<20)), archives(t, 6, windowed(8<<20))}, true},
		{"a gzip bomb", []v1.Layer{members(t)}, false},
		{"zstd with large windows", []v1.Layer{window(t, 1, 64<<20), window(t, 2, 64<<20), window(t, 3, 8<<20)}, true},
		{"zstd with too large a window", []v1.Layer{window(t, 4, 128<<20)}, false},
		{"nested archives", []v1.Layer{nested(t, 1), nested(t, 2), nested(t, 3)}, false},
		{"very many files", []v1.Layer{many(t, 1, 600_000), many(t, 2, 200_000), many(t, 3, 200_000)}, true},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			image := debian
			for _, layer := range tt.layers {
				image = harness.Append(t, image, layer, tt.name)
			}
			r := in.withinMemory(t, worker, fmt.Sprintf("memory/image:%d", i), image)
			if r.Completeness.Complete != tt.whole || len(r.Packages) == 0 {
				t.Errorf("%d packages, completeness %+v", len(r.Packages), r.Completeness)
			}
		})
	}
	t.Run("the rich image", func(t *testing.T) {
		if !harness.RichMade(t) {
			t.Skip("it is not in LANDWAITER_E2E_CACHE; `make bench` makes it")
		}
		r := in.withinMemory(t, worker, "memory/image:rich", harness.Rich(t).Image(t))
		for _, n := range r.Completeness.Notes {
			if n.Code == "layer-partial" {
				t.Errorf("a limit was hit: %+v", n)
			}
		}
		const least = 1000 // it has far more
		if len(r.Packages) < least {
			t.Errorf("%d packages", len(r.Packages))
		}
	})
}

// withinMemory has a worker scan an image, and looks what that took.
func (in *distributed) withinMemory(t *testing.T, worker *harness.Process, name string, image v1.Image) report {
	t.Helper()
	forgetPeak(t, worker)
	digest := in.registry.Push(t, name, image).String()
	if err := in.call(t.Context(), http.MethodPost, "/api/v1/scans", map[string]any{"image": in.gate.host() + "/" + name}, nil); err != nil {
		t.Fatal(err)
	}
	r := in.reported(digest, 6)
	peak := peakOf(t, worker)
	t.Logf("peak: %d MiB", peak>>20)
	if peak > memoryMost {
		t.Errorf("the worker had %d MiB resident, more than %d", peak>>20, memoryMost>>20)
	}
	return r
}

// forgetPeak begins anew with what a process has resident now: see proc(5),
// clear_refs.
func forgetPeak(t *testing.T, p *harness.Process) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.PID()), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// peakOf is the most bytes a process had resident since then.
func peakOf(t *testing.T, p *harness.Process) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatalf("the worker: %v, %v", err, p.Err())
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// entry is a file of a layer that is made as it is packed.
type entry struct {
	name    string
	mode    int64
	size    int64
	content io.Reader
}

// packed is a layer of files that are too large, or too many, to be kept.
func packed(t *testing.T, compress compressor, entries func(yield func(entry) bool)) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w, err := compress(&buf)
	if err != nil {
		t.Fatal(err)
	}
	out := tar.NewWriter(w)
	for e := range entries {
		err = errors.Join(err, out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: e.size}))
		if err == nil && e.size > 0 {
			_, err = io.CopyN(out, e.content, e.size)
		}
		if err != nil {
			break
		}
	}
	if err := errors.Join(err, out.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return staticLayer{buf.Bytes()}
}

// compressor packs what is written to it.
type compressor func(io.Writer) (io.WriteCloser, error)

func windowed(size int) compressor {
	return func(w io.Writer) (io.WriteCloser, error) {
		return zstd.NewWriter(w, zstd.WithWindowSize(size), zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	}
}

func quickly(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) }

// noise is the same for the same number, and cannot be packed.
func noise(seed uint64) io.Reader {
	return rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// programs is a layer with as large a program as there may be, and the first
// also with landwaiter itself.
func programs(t *testing.T, n uint64) v1.Layer {
	t.Helper()
	self, err := os.ReadFile(harness.Binary(t, "landwaiter"))
	if err != nil {
		t.Fatal(err)
	}
	const size = 60 << 20
	return packed(t, quickly, func(yield func(entry) bool) {
		_ = (n > 1 || yield(entry{"usr/bin/landwaiter", 0o755, int64(len(self)), bytes.NewReader(self)})) &&
			yield(entry{fmt.Sprint("usr/bin/other", n), 0o755, size, io.MultiReader(strings.NewReader("\x7fELF\x02\x01\x01"), noise(n))})
	})
}

// archives is a layer with a Java archive of 60 MB that is mostly noise.
func archives(t *testing.T, n uint64, compress compressor) v1.Layer {
	t.Helper()
	const size = 60 << 20
	jar := zipped(t, func(z *zip.Writer) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "data.bin", Method: zip.Store})
		if err == nil {
			_, err = io.CopyN(w, noise(n), size)
		}
		return err
	})
	return packed(t, compress, func(yield func(entry) bool) {
		yield(entry{fmt.Sprintf("app%d.jar", n), 0o644, int64(len(jar)), bytes.NewReader(jar)})
	})
}

// window is a layer that is packed with a window of so many bytes, and fills
// it.
func window(t *testing.T, n uint64, size int) v1.Layer {
	t.Helper()
	return packed(t, windowed(size), func(yield func(entry) bool) {
		_ = yield(entry{"noise", 0o644, 16 << 20, noise(n)}) && yield(entry{"zeros", 0o644, 160 << 20, zeros{}}) &&
			yield(entry{"usr/bin/other", 0o755, 12 << 20, io.MultiReader(strings.NewReader("\x7fELF\x02\x01\x01"), noise(n))})
	})
}

// nested is a layer with archives in archives, the innermost of which claim
// very much.
func nested(t *testing.T, n uint64) v1.Layer {
	t.Helper()
	inner := func(size int64) []byte {
		return zipped(t, func(z *zip.Writer) error {
			w, err := z.Create(fmt.Sprintf("zeros%d.jar", n))
			if err == nil {
				_, err = io.CopyN(w, zeros{}, size)
			}
			return err
		})
	}
	largest, bearable := inner(64<<20), inner(20<<20)
	jar := zipped(t, func(z *zip.Writer) error {
		var errs []error
		for i := range 8 {
			for name, content := range map[string][]byte{"largest": largest, "bearable": bearable} {
				w, err := z.Create(fmt.Sprintf("%s%d.jar", name, i))
				if err == nil {
					_, err = w.Write(content)
				}
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	})
	return packed(t, quickly, func(yield func(entry) bool) {
		yield(entry{fmt.Sprintf("nested%d.ear", n), 0o644, int64(len(jar)), bytes.NewReader(jar)})
	})
}

func zipped(t *testing.T, fill func(*zip.Writer) error) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	if err := errors.Join(fill(z), z.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// many is a layer of very many files.
func many(t *testing.T, n, files int) v1.Layer {
	t.Helper()
	return packed(t, quickly, func(yield func(entry) bool) {
		for i := range files {
			if !yield(entry{name: fmt.Sprintf("srv/%d/%d/%d", n, i%97, i), mode: 0o644}) {
				return
			}
		}
	})
}

// members is a layer of three megabytes that unpacks to one program of three
// gigabytes. A gzip file may have many members, so most of it is made once.
func members(t *testing.T) v1.Layer {
	t.Helper()
	const count, member = 96, 32 << 20
	head, err := tarHeader("bomb", count*member)
	if err != nil {
		t.Fatal(err)
	}
	return staticLayer{bytes.Join([][]byte{
		gzipped(t, head), bytes.Repeat(gzipped(t, make([]byte, member)), count), gzipped(t, make([]byte, 1024)),
	}, nil)}
}
