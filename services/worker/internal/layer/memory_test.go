package layer_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

// A large program is held without its code, and where that is too much without
// its constants: what is found in it stays the same.
func TestLargeProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	set, err := extract.New(layer.DefaultLimits().Archives)
	if err != nil {
		t.Fatal(err)
	}
	info, err := fs.Stat(fstest.MapFS{"app": {Data: program, Mode: 0o755}}, "app")
	if err != nil {
		t.Fatal(err)
	}
	want := set.Extract(t.Context(), "app", info, program).Packages
	if len(want) == 0 {
		t.Fatal("found nothing in this program: it proves nothing")
	}
	plain := layertest.Tar(t, layertest.Entry{Name: "app", Content: string(program), Mode: 0o755})
	size := int64(len(program))
	for name, most := range map[string]int64{"without code": size, "without constants": size / 3} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, func(l *layer.Limits) { l.File = most })
			got, err := r.Read(t.Context(), layertest.Digest(plain), bytes.NewReader(plain))
			if err != nil || got.Partial {
				t.Fatalf("partial %t, %+v, %v", got.Partial, got.Notes, err)
			}
			if diff := cmp.Diff(want, got.Packages); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
			}
		})
	}
}

// Layers that ask for a large window take turns, and none waits for ever.
func TestLargeWindows(t *testing.T) {
	const window = 32 << 20
	module := `{"name":"a","version":"1"}`
	large := string(make([]byte, 4<<20))
	plain := layertest.Tar(t,
		layertest.Entry{Name: "node_modules/b/package.json", Content: module + large},
		layertest.Entry{Name: "data", Content: string(make([]byte, window))},
		layertest.Entry{Name: "node_modules/a/package.json", Content: module})
	var packed bytes.Buffer
	enc, err := zstd.NewWriter(&packed, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	// In two pieces: of one whose size is known the window is no larger.
	for _, part := range [][]byte{plain[:1<<20], plain[1<<20:]} {
		if _, err := enc.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	var head zstd.Header
	if err := head.Decode(packed.Bytes()); err != nil || head.WindowSize != window {
		t.Fatalf("the window is %d, %v", head.WindowSize, err)
	}
	r := newReader(t, nil)
	var all sync.WaitGroup
	for _, blob := range [][]byte{packed.Bytes(), plain, packed.Bytes(), plain} {
		all.Go(func() {
			got, err := r.Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
			if err != nil || got.Partial || len(got.Packages) == 0 {
				t.Errorf("partial %t, %+v, %d packages, %v", got.Partial, got.Notes, len(got.Packages), err)
			}
		})
	}
	all.Wait()
}

// What lies in an archive is held in memory: beyond the limit it is not looked
// into, and what there was room for is.
func TestNestedArchivesHeld(t *testing.T) {
	pom := "groupId=g\nartifactId=a\nversion=1\n"
	inner := zipped(t, map[string]string{"META-INF/maven/g/a/pom.properties": pom})
	outer := zipped(t, map[string]string{"lib/a.jar": inner, "lib/bomb.jar": string(make([]byte, 80<<20))})
	plain := layertest.Tar(t, layertest.Entry{Name: "app.jar", Content: outer})
	got, err := newReader(t, nil).Read(t.Context(), layertest.Digest(plain), bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	if !got.Partial || len(got.Notes) != 1 || got.Notes[0].Code != verdict.NoteLayerPartial || len(got.Packages) == 0 {
		t.Errorf("partial %t, notes %+v, packages %+v", got.Partial, got.Notes, got.Packages)
	}
}

func zipped(tb testing.TB, files map[string]string) string {
	tb.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, content := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(content))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}
