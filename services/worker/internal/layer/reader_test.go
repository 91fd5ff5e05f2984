package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

const status = `Package: base-files
Status: install ok installed
Maintainer: Santiago Vila <sanvila@debian.org>
Architecture: amd64
Version: 12.4+deb12u5

Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Source: glibc (2.36-9+deb12u4)
Version: 2.36-9+deb12u4

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
`

func newReader(tb testing.TB, change func(*layer.Limits)) *layer.Reader {
	tb.Helper()
	limits := layer.DefaultLimits()
	if change != nil {
		change(&limits)
	}
	set, err := extract.New(limits.Archives)
	if err != nil {
		tb.Fatal(err)
	}
	return layer.NewReader(set, limits)
}

func small(tb testing.TB) []byte {
	tb.Helper()
	return layertest.Tar(tb,
		layertest.Entry{Name: "./"},
		layertest.Entry{Name: "./etc/", Mode: 0o755},
		layertest.Entry{Name: "./usr/lib/os-release", Content: "ID=debian\nVERSION_ID=\"12\"\n"},
		layertest.Entry{Name: "./etc/os-release", Type: tar.TypeSymlink, Link: "../usr/lib/os-release"},
		layertest.Entry{Name: "/var/lib/dpkg/status", Content: status},
		layertest.Entry{Name: "var/lib/dpkg/info/libc6:amd64.list", Content: "/.\n/usr/lib/libc.so.6\n/usr/share/doc/libc6/copyright\n"},
		layertest.Entry{Name: "app/node_modules/a/package.json", Content: `{"name":"a","version":"1.0.0"}`},
		layertest.Entry{Name: "app/node_modules/b/package.json", Link: "app/node_modules/a/package.json"},
		layertest.Entry{Name: "app/package.json", Content: `{"name":"app","version":"1.0.0"}`},
		layertest.Entry{Name: "usr/lib/python3/dist-packages/Foo_Bar-1.2.dist-info/METADATA", Content: "Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.2\n\ntext\n"},
		layertest.Entry{Name: "tmp/.wh.old"},
		layertest.Entry{Name: "srv/.wh..wh..opq"},
		layertest.Entry{Name: "srv/.wh..wh.plnk"},
		layertest.Entry{Name: "bin/tool", Content: "#!/bin/sh\n", Mode: 0o755},
	)
}

func TestReadSmallLayer(t *testing.T) {
	plain := small(t)
	digest := layertest.Digest(plain)
	r := newReader(t, nil)
	got, err := r.Read(t.Context(), digest, bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	want := inventory.Layer{
		Digest: digest, Size: int64(len(plain)), Uncompressed: int64(len(plain)), Engine: r.Engine(),
		Releases:  []inventory.Release{{Path: "usr/lib/os-release", Content: "ID=debian\nVERSION_ID=\"12\"\n"}},
		Databases: []string{"var/lib/dpkg/status"},
		Packages: []inventory.Package{
			{
				Type: "deb", Name: "base-files", Version: "12.4+deb12u5", Arch: "amd64", Vendor: "Santiago Vila <sanvila@debian.org>",
				Source:   verdict.Source{Name: "base-files", Version: "12.4+deb12u5"},
				Evidence: inventory.Record, Location: "var/lib/dpkg/status",
			},
			{
				Type: "deb", Name: "libc6", Version: "2.36-9+deb12u4", Arch: "amd64",
				Vendor:   "GNU Libc Maintainers <debian-glibc@lists.debian.org>",
				Source:   verdict.Source{Name: "glibc", Version: "2.36-9+deb12u4"},
				Evidence: inventory.Record, Location: "var/lib/dpkg/status",
			},
			{Type: "npm", Name: "a", Version: "1.0.0", Evidence: inventory.Record, Location: "app/node_modules/a/package.json"},
			{
				Type: "pypi", Name: "foo-bar", Version: "1.2", Evidence: inventory.Record,
				Location: "usr/lib/python3/dist-packages/Foo_Bar-1.2.dist-info/METADATA",
			},
		},
		Owners: []inventory.Owner{{
			Package: "libc6", Location: "var/lib/dpkg/info/libc6:amd64.list",
			Files: inventory.Hashes{inventory.Hash("usr/lib/libc.so.6")},
		}},
		Whiteouts: []string{"tmp/old"},
		Opaques:   []string{"srv"},
		Links:     []inventory.Link{{Path: "app/node_modules/b/package.json", Target: "app/node_modules/a/package.json"}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(inventory.Layer{}, "Paths", "Dirs")); diff != "" {
		t.Errorf("layer differs (-want +got):\n%s", diff)
	}
	if len(got.Paths) != 9 || !got.Paths.Has("etc/os-release") || got.Paths.Has("etc") || !got.Dirs.Has("etc") {
		t.Errorf("paths: %d, dirs %d", len(got.Paths), len(got.Dirs))
	}
}

// TestReadStrayLinks has links to content that came under a name that nobody
// looks into.
func TestReadStrayLinks(t *testing.T) {
	const pkg = `{"name":"a","version":"1"}`
	for _, tt := range []struct {
		name  string
		files []layertest.Entry
		note  string
	}{
		{"stray", []layertest.Entry{
			{Name: "store/0a/1b", Content: pkg},
			{Name: "node_modules/a/package.json", Link: "store/0a/1b"},
			{Name: "x/package.json", Link: "store/0a/1b"},
			{Name: "node_modules/b/package.json", Link: "store/0a/1b"},
		}, "2 hard links to files that were not looked into under their own names, as node_modules/a/package.json to store/0a/1b"},
		{
			"release",
			[]layertest.Entry{{Name: "o/1b", Content: "ID=debian"}, {Name: "usr/lib/os-release", Link: "o/1b"}},
			"1 hard links to files that were not looked into under their own names, as usr/lib/os-release to o/1b",
		},
		{"looked into", []layertest.Entry{{Name: "node_modules/a/package.json", Content: pkg}, {Name: "node_modules/b/package.json", Link: "node_modules/a/package.json"}}, ""},
		{"looked into in vain", []layertest.Entry{{Name: "node_modules/a/package.json", Content: "{}"}, {Name: "node_modules/b/package.json", Link: "node_modules/a/package.json"}}, ""},
		{"below", []layertest.Entry{{Name: "node_modules/b/package.json", Link: "store/0a/1b"}}, ""},
		{"replaced", []layertest.Entry{{Name: "store/0a/1b", Content: pkg}, {Name: "node_modules/a/package.json", Link: "store/0a/1b"}, {Name: "node_modules/a/package.json", Content: pkg}}, ""},
	} {
		blob := layertest.Tar(t, tt.files...)
		got, err := newReader(t, nil).Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
		if err != nil {
			t.Fatal(err)
		}
		note := ""
		if len(got.Notes) > 0 {
			note = got.Notes[0].Message
		}
		if note != tt.note || len(got.Notes) > 1 {
			t.Errorf("%s: got notes %+v, want %q", tt.name, got.Notes, tt.note)
		}
	}
}

// TestReadStores has packages whose content comes before them, in a store.
func TestReadStores(t *testing.T) {
	const pkg, unused = `{"name":"a","version":"1"}`, `{"name":"u","version":"1"}`
	hex := strings.Repeat("0a", 63)
	pnpm, bun := "pnpm/store/v3/files/1b/"+hex, "root/.bun/install/cache/a@1@@@1/package.json"
	const a, b = "usr/src/app/node_modules/a/package.json", "usr/src/b/node_modules/a/package.json"
	link := func(name, target string) layertest.Entry { return layertest.Entry{Name: name, Link: target} }
	for _, tt := range []struct {
		name  string
		files []layertest.Entry
		want  []string // paths
		notes int
	}{
		{"pnpm", []layertest.Entry{{Name: pnpm, Content: pkg}, {Name: pnpm + "1", Content: unused}, link(a, pnpm)}, []string{a}, 0},
		{"pnpm, all files programs", []layertest.Entry{{Name: pnpm, Content: pkg, Mode: 0o755}, link(a, pnpm)}, []string{a}, 0},
		{"Bun", []layertest.Entry{{Name: bun, Content: pkg}, link(a, bun), link("usr/src/app/node_modules/a/index.js", bun)}, []string{a}, 0},
		{"two projects", []layertest.Entry{{Name: pnpm, Content: pkg}, link(a, pnpm), link(b, a)}, []string{a, b}, 0},
		{"a folder's mark", []layertest.Entry{{Name: pnpm, Content: `{"type":"module"}`}, link(a, pnpm)}, nil, 0},
		{"rubbish", []layertest.Entry{{Name: pnpm, Content: "{"}, link(a, pnpm)}, nil, 1},
		{"no object", []layertest.Entry{{Name: pnpm, Content: "x"}, link(a, pnpm)}, nil, 1},
		{"another file now", []layertest.Entry{{Name: pnpm, Content: pkg}, {Name: pnpm, Content: "x"}, link(a, pnpm)}, nil, 1},
		{"replaced", []layertest.Entry{{Name: pnpm, Content: pkg}, link(a, pnpm), {Name: a, Content: "{}"}}, nil, 0},
		{"linked to another name", []layertest.Entry{{Name: pnpm, Content: pkg}, link("usr/src/app/package.json", pnpm)}, nil, 0},
		{"not linked to", []layertest.Entry{{Name: pnpm, Content: pkg}}, nil, 0},
	} {
		blob := layertest.Tar(t, tt.files...)
		got, err := newReader(t, nil).Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, p := range got.Packages {
			paths = append(paths, p.Location)
		}
		for _, l := range got.Links {
			if slices.Contains(paths, l.Target) {
				paths = append(paths, l.Path)
			}
		}
		if diff := cmp.Diff(tt.want, paths); diff != "" || len(got.Notes) != tt.notes {
			t.Errorf("%s: notes %+v, paths differ (-want +got):\n%s", tt.name, got.Notes, diff)
		}
	}
	blob := layertest.Tar(t, layertest.Entry{Name: pnpm, Content: pkg}, layertest.Entry{Name: bun, Content: unused})
	got, err := newReader(t, func(l *layer.Limits) { l.Packages = 1 }).Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
	if err != nil || !got.Partial || len(got.Packages) != 0 {
		t.Errorf("more than the limit: got %+v, %v", got, err)
	}
}

// TestReadIsIndependentOfTheStream reads one archive compressed and cut in many
// ways.
func TestReadIsIndependentOfTheStream(t *testing.T) {
	plain := small(t)
	half := len(plain) / 2
	r := newReader(t, nil)
	want, err := r.Read(t.Context(), layertest.Digest(plain), bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	blobs := map[string][]byte{
		"plain":      plain,
		"gzip 1":     layertest.Gzip(t, 1, plain),
		"gzip 9":     layertest.Gzip(t, 9, plain),
		"gzip 0":     layertest.Gzip(t, 0, plain),
		"members":    layertest.Gzip(t, 6, plain[:100], plain[100:half], nil, plain[half:]),
		"zstd":       layertest.Zstd(t, plain),
		"frames":     append(layertest.Zstd(t, plain[:half]), layertest.Zstd(t, plain[half:])...),
		"skippable":  append([]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"), layertest.Zstd(t, plain)...),
		"no padding": plain[:len(plain)-512],
	}
	cuts := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader,
		"halves": iotest.HalfReader, "error with data": iotest.DataErrReader,
	}
	for name, blob := range blobs {
		for cut, wrap := range cuts {
			t.Run(name+"/"+cut, func(t *testing.T) {
				got, err := r.Read(t.Context(), layertest.Digest(blob), wrap(bytes.NewReader(blob)))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(inventory.Layer{}, "Digest", "Size", "Uncompressed")); diff != "" {
					t.Errorf("layer differs (-want +got):\n%s", diff)
				}
				if got.Size != int64(len(blob)) {
					t.Errorf("got size %d, want %d", got.Size, len(blob))
				}
			})
		}
	}
}

func TestReadErrors(t *testing.T) {
	plain := small(t)
	packed := layertest.Gzip(t, 6, plain)
	broken := bytes.Clone(packed)
	broken[len(broken)/2] ^= 0xff
	tail := bytes.Clone(packed)
	tail[len(tail)-6] ^= 0xff // in the checksum, behind the archive's end
	badTar := bytes.Clone(plain)
	copy(badTar[1024:], strings.Repeat("x", 512))
	tests := []struct {
		name   string
		blob   []byte
		digest string // default: the right one
		want   error
	}{
		{name: "other digest", blob: packed, digest: layertest.Digest(plain), want: layer.ErrDigest},
		{name: "unknown algorithm", blob: packed, digest: "md5:abc", want: layer.ErrDigest},
		{name: "no digest", blob: packed, digest: "", want: layer.ErrDigest},
		{name: "cut in transit", blob: packed[:len(packed)/2], digest: layertest.Digest(packed), want: layer.ErrDigest},
		{name: "changed in transit", blob: broken, digest: layertest.Digest(packed), want: layer.ErrDigest},
		{name: "made truncated", blob: packed[:len(packed)/2], want: layer.ErrCorrupt},
		{name: "made broken", blob: broken, want: layer.ErrCorrupt},
		{name: "wrong checksum behind the archive", blob: tail, want: layer.ErrCorrupt},
		{name: "rubbish behind the stream", blob: append(bytes.Clone(packed), "rubbish"...), want: layer.ErrCorrupt},
		{name: "gzip magic only", blob: []byte("\x1f\x8b"), want: layer.ErrCorrupt},
		{name: "zstd magic only", blob: []byte("\x28\xb5\x2f\xfd"), want: layer.ErrCorrupt},
		{name: "second header broken", blob: badTar, want: layer.ErrCorrupt},
		{name: "truncated plain", blob: plain[:1000], want: layer.ErrCorrupt},
		{name: "config", blob: []byte(`{"architecture":"amd64"}` + strings.Repeat(" ", 1000)), want: layer.ErrNotLayer},
		{name: "short config", blob: []byte(`{}`), want: layer.ErrNotLayer},
		{name: "packed config", blob: layertest.Gzip(t, 6, []byte(`{}`)), want: layer.ErrNotLayer},
		{name: "too large", blob: layertest.Gzip(t, 0, plain, make([]byte, 2<<20)), want: layer.ErrTooLarge},
	}
	r := newReader(t, func(l *layer.Limits) { l.Compressed = 1 << 20 })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			digest := tt.digest
			if digest == "" && tt.name != "no digest" {
				digest = layertest.Digest(tt.blob)
			}
			_, err := r.Read(t.Context(), digest, bytes.NewReader(tt.blob))
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if !strings.Contains(err.Error(), digest) {
				t.Errorf("error %q does not name the layer", err)
			}
		})
	}
}

func TestReadEmptyLayers(t *testing.T) {
	r := newReader(t, nil)
	for name, blob := range map[string][]byte{
		"end mark": make([]byte, 1024), "packed": layertest.Gzip(t, 6, make([]byte, 1024)), "nothing packed": layertest.Gzip(t, 6, nil), "nothing": nil,
	} {
		got, err := r.Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
		if err != nil || got.Partial || len(got.Paths) != 0 {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestReadReturnsTheSourcesError(t *testing.T) {
	reset := errors.New("connection reset")
	blob := layertest.Gzip(t, 6, small(t))
	src := io.MultiReader(bytes.NewReader(blob[:len(blob)/2]), iotest.ErrReader(reset))
	_, err := newReader(t, nil).Read(t.Context(), layertest.Digest(blob), src)
	if !errors.Is(err, reset) || errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestReadStopsWithTheContext(t *testing.T) {
	blob := layertest.Gzip(t, 6, small(t))
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	src := layer.Progress(iotest.OneByteReader(bytes.NewReader(blob)), func(n int64) {
		if n == 100 {
			cancel(stop)
		}
		if n > 100 {
			t.Errorf("read %d bytes", n)
		}
	})
	if _, err := newReader(t, nil).Read(ctx, layertest.Digest(blob), src); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// TestReadInParallel lets readers wait for each other's memory.
func TestReadInParallel(t *testing.T) {
	plain := small(t)
	r := newReader(t, func(l *layer.Limits) { l.Buffered = 1000 })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := r.Read(t.Context(), layertest.Digest(plain), iotest.HalfReader(bytes.NewReader(plain)))
			if err != nil || got.Partial || len(got.Packages) != 4 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	wg.Wait()
}

func FuzzRead(f *testing.F) {
	plain := small(f)
	f.Add(plain)
	f.Add(layertest.Gzip(f, 6, plain))
	f.Add(layertest.Zstd(f, plain))
	f.Add(layertest.Tar(f, layertest.Entry{Name: "../../x/.wh..", Content: "x"}, layertest.Entry{Name: "a", Link: "a"}))
	r := newReader(f, func(l *layer.Limits) { l.Uncompressed, l.File = 1<<20, 64<<10 })
	f.Fuzz(func(t *testing.T, blob []byte) {
		got, err := r.Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
		if err == nil && got.Size != int64(len(blob)) {
			t.Errorf("got size %d of %d", got.Size, len(blob))
		}
	})
}
