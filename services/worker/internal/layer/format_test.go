package layer_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/gzip"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

// estargz is a layer as eStargz has it: a gzip member for each file, or part of
// one, then one with the table of contents as a last file, and an empty member
// whose extra field says where that begins.
func estargz(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	var parts [][]byte
	body := plain[:len(plain)-1024]
	for len(body) > 0 {
		n := min(1024, len(body))
		parts, body = append(parts, body[:n]), body[n:]
	}
	toc := layertest.Tar(tb,
		layertest.Entry{Name: ".no.prefetch.landmark", Content: "\x0f"},
		layertest.Entry{Name: "stargz.index.json", Content: `{"version":1,"entries":[]}`})
	blob := layertest.Gzip(tb, 9, append(parts, toc)...)
	var footer bytes.Buffer
	w, err := gzip.NewWriterLevel(&footer, gzip.NoCompression)
	if err != nil {
		tb.Fatal(err)
	}
	w.Extra = []byte("SG\x16\x000000000000000400STARGZ")
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return append(blob, footer.Bytes()...)
}

// chunked is a layer as zstd:chunked has it: a frame for each part, then the
// table of contents and the footer in frames that decoders skip.
func chunked(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	var blob []byte
	for rest := plain; len(rest) > 0; {
		n := min(700, len(rest))
		blob, rest = append(blob, layertest.Zstd(tb, rest[:n])...), rest[n:]
	}
	for _, skipped := range [][]byte{layertest.Zstd(tb, []byte(`{"version":1,"entries":[]}`)), append(make([]byte, 56), "GNUlInUx"...)} {
		blob = append(blob, "\x50\x2a\x4d\x18"...)
		blob = binary.LittleEndian.AppendUint32(blob, uint32(len(skipped)))
		blob = append(blob, skipped...)
	}
	return blob
}

func TestReadSeekableFormats(t *testing.T) {
	plain := small(t)
	r := newReader(t, nil)
	want, err := r.Read(t.Context(), layertest.Digest(plain), bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		blob  []byte
		extra int // files of the format's own
	}{"eStargz": {estargz(t, plain), 2}, "zstd:chunked": {chunked(t, plain), 0}} {
		t.Run(name, func(t *testing.T) {
			got, err := r.Read(t.Context(), layertest.Digest(tt.blob), bytes.NewReader(tt.blob))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(inventory.Layer{}, "Digest", "Size", "Uncompressed", "Paths")); diff != "" {
				t.Errorf("layer differs (-want +got):\n%s", diff)
			}
			if len(got.Paths) != len(want.Paths)+tt.extra {
				t.Errorf("got %d paths, want %d", len(got.Paths), len(want.Paths)+tt.extra)
			}
		})
	}
}

// pieces reads in pieces of random sizes.
type pieces struct {
	io.Reader

	random *rand.Rand
}

func (p pieces) Read(b []byte) (int, error) {
	return p.Reader.Read(b[:min(len(b), 1+p.random.IntN(2000))])
}

// FuzzChunking cuts one archive at random places into gzip members or zstd
// frames, and reads them in pieces of random sizes: the inventory is the same.
func FuzzChunking(f *testing.F) {
	plain := small(f)
	r := newReader(f, func(l *layer.Limits) { *l = l.WithFingerprints() })
	want, err := r.Read(f.Context(), layertest.Digest(plain), bytes.NewReader(plain))
	if err != nil {
		f.Fatal(err)
	}
	for seed := range uint64(64) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 7))
		var blob []byte
		packed := random.IntN(2) == 0
		for rest := plain; len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			if packed {
				blob = append(blob, layertest.Zstd(t, rest[:n])...)
			} else {
				blob = append(blob, layertest.Gzip(t, random.IntN(10), rest[:n])...)
			}
			rest = rest[n:]
		}
		got, err := r.Read(t.Context(), layertest.Digest(blob), pieces{bytes.NewReader(blob), random})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(inventory.Layer{}, "Digest", "Size", "Uncompressed")); diff != "" {
			t.Errorf("seed %d: layer differs (-want +got):\n%s", seed, diff)
		}
	})
}

// TestReadWindows reads a layer as Windows has it: no modes, and everything in
// Files.
func TestReadWindows(t *testing.T) {
	deps := `{"libraries":{"Newtonsoft.Json/12.0.3":{"type":"package"}}}`
	plain := layertest.Tar(t,
		layertest.Entry{Name: "Files/"}, layertest.Entry{Name: "Hives/"},
		layertest.Entry{Name: "Hives/Software_Delta", Content: "regf"},
		layertest.Entry{Name: "Files/app/shop.deps.json", Content: deps},
		layertest.Entry{Name: "Files/Program Files/nodejs/node_modules/npm/package.json", Content: `{"name":"npm","version":"10.2.4"}`},
		layertest.Entry{Name: "Files/tmp/.wh.old"},
	)
	got, err := newReader(t, nil).Read(t.Context(), layertest.Digest(plain), bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, p := range got.Packages {
		found = append(found, p.Type+" "+p.Name+"@"+p.Version+" "+p.Location)
	}
	want := []string{"npm npm@10.2.4 Files/Program Files/nodejs/node_modules/npm/package.json", "nuget Newtonsoft.Json@12.0.3 Files/app/shop.deps.json"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("packages differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Files/tmp/old"}, got.Whiteouts); diff != "" {
		t.Errorf("whiteouts differ (-want +got):\n%s", diff)
	}
}
