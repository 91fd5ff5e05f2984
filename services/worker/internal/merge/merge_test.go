package merge_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
	"github.com/landwaiter/landwaiter/services/worker/internal/merge"
)

type entry = layertest.Entry

// read reads layers as the pipeline does: each goes through storage, too.
func read(tb testing.TB, layers ...[]entry) []inventory.Layer {
	tb.Helper()
	return readWith(tb, layer.DefaultLimits(), layers...)
}

// readHashed takes fingerprints too.
func readHashed(tb testing.TB, layers ...[]entry) []inventory.Layer {
	tb.Helper()
	return readWith(tb, layer.DefaultLimits().WithFingerprints(), layers...)
}

func sum(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

func readWith(tb testing.TB, limits layer.Limits, layers ...[]entry) []inventory.Layer {
	tb.Helper()
	set, err := extract.New(limits.Archives)
	if err != nil {
		tb.Fatal(err)
	}
	r := layer.NewReader(set, limits)
	var all []inventory.Layer
	for _, entries := range layers {
		blob := layertest.Gzip(tb, 1, layertest.Tar(tb, entries...))
		found, err := r.Read(tb.Context(), layertest.Digest(blob), bytes.NewReader(blob))
		if err != nil {
			tb.Fatal(err)
		}
		stored, err := found.Encode()
		if err != nil {
			tb.Fatal(err)
		}
		if found, err = inventory.DecodeLayer(stored); err != nil {
			tb.Fatal(err)
		}
		all = append(all, found)
	}
	return all
}

// npm is an installed npm package in a folder.
func npm(folder, name, version string) entry {
	return entry{Name: folder + "/node_modules/" + name + "/package.json", Content: `{"name":"` + name + `","version":"` + version + `"}`}
}

// at are the packages as name@version location #layer.
func at(image inventory.Image) []string {
	all := []string{}
	for _, p := range image.Packages {
		all = append(all, p.Name+"@"+p.Version+" "+p.Location+" #"+string(rune('0'+p.Layer)))
	}
	return all
}

// TestMergeFiles goes through the ways a layer changes what lies below.
func TestMergeFiles(t *testing.T) {
	base := []entry{{Name: "app/"}, npm("app", "a", "1"), npm("app", "b", "1")}
	const a, b = "app/node_modules/a/package.json", "app/node_modules/b/package.json"
	link := func(name, target string) entry { return entry{Name: name, Link: target, Type: tar.TypeSymlink} }
	tests := []struct {
		name   string
		layers [][]entry
		want   []string
	}{
		{"one layer", [][]entry{base}, []string{"a@1 " + a + " #0", "b@1 " + b + " #0"}},
		{"whiteout of a file", [][]entry{base, {{Name: "app/node_modules/a/.wh.package.json"}}}, []string{"b@1 " + b + " #0"}},
		{"whiteout of a folder", [][]entry{base, {{Name: "app/node_modules/.wh.a"}}}, []string{"b@1 " + b + " #0"}},
		{"whiteout with dot path", [][]entry{base, {{Name: "./app/node_modules/.wh.a"}}}, []string{"b@1 " + b + " #0"}},
		{"whiteout with absolute path", [][]entry{base, {{Name: "/app/./node_modules/.wh.a"}}}, []string{"b@1 " + b + " #0"}},
		{"whiteout of the top", [][]entry{base, {{Name: ".wh.app"}}}, []string{}},
		{
			"whiteout of a name that only begins so",
			[][]entry{base, {{Name: ".wh.ap"}, {Name: "app/node_modules/.wh.aa"}}},
			[]string{"a@1 " + a + " #0", "b@1 " + b + " #0"},
		},
		{"whiteout far below", [][]entry{base, {{Name: "x"}}, {{Name: ".wh.app"}}}, []string{}},
		{"opaque folder", [][]entry{base, {{Name: "app/.wh..wh..opq"}}}, []string{}},
		{"opaque root", [][]entry{base, {{Name: ".wh..wh..opq"}, npm("srv", "c", "1")}}, []string{"c@1 srv/node_modules/c/package.json #1"}},
		{"opaque folder beside", [][]entry{base, {{Name: "ap/.wh..wh..opq"}}}, []string{"a@1 " + a + " #0", "b@1 " + b + " #0"}},
		{"opaque keeps its own layer", [][]entry{base, {npm("app", "a", "2"), {Name: "app/.wh..wh..opq"}}}, []string{"a@2 " + a + " #1"}},
		{"upgrade", [][]entry{base, {npm("app", "a", "2")}}, []string{"a@2 " + a + " #1", "b@1 " + b + " #0"}},
		{"rewritten unchanged", [][]entry{base, base}, []string{"a@1 " + a + " #0", "b@1 " + b + " #0"}},
		{
			"removed and brought back",
			[][]entry{base, {{Name: "app/node_modules/.wh.a"}}, {npm("app", "a", "1")}},
			[]string{"a@1 " + a + " #2", "b@1 " + b + " #0"},
		},
		{
			"added, then whiteout in the same layer",
			[][]entry{base, {npm("app", "a", "2"), {Name: "app/node_modules/.wh.a"}}},
			[]string{"a@2 " + a + " #1", "b@1 " + b + " #0"},
		},
		{
			"whiteout, then added in the same layer",
			[][]entry{base, {{Name: "app/node_modules/.wh.a"}, npm("app", "a", "2")}},
			[]string{"a@2 " + a + " #1", "b@1 " + b + " #0"},
		},
		{"dot path replaces", [][]entry{base, {npm("./app", "a", "2")}}, []string{"a@2 " + a + " #1", "b@1 " + b + " #0"}},
		{"absolute path replaces", [][]entry{base, {npm("/app", "a", "2")}}, []string{"a@2 " + a + " #1", "b@1 " + b + " #0"}},
		{"path out of the root", [][]entry{base, {npm("../../app", "a", "2")}}, []string{"a@2 " + a + " #1", "b@1 " + b + " #0"}},
		{"replaced by rubbish", [][]entry{base, {{Name: a, Content: "{"}}}, []string{"b@1 " + b + " #0"}},
		{"replaced by nothing", [][]entry{base, {{Name: a}}}, []string{"b@1 " + b + " #0"}},
		{"replaced by a folder", [][]entry{base, {{Name: a + "/"}}}, []string{"b@1 " + b + " #0"}},
		{"replaced by a symbolic link", [][]entry{base, {link(a, "/etc/passwd")}}, []string{"b@1 " + b + " #0"}},
		{"folder replaced by a symbolic link", [][]entry{base, {link("app/node_modules", "/srv")}}, []string{}},
		{"folder replaced by a file", [][]entry{base, {{Name: "app/node_modules", Content: "x"}}}, []string{}},
		{"folder listed again", [][]entry{base, {{Name: "app/"}, {Name: "app/node_modules/"}}}, []string{"a@1 " + a + " #0", "b@1 " + b + " #0"}},
		{"bare whiteout is a file", [][]entry{base, {{Name: "app/node_modules/.wh."}}}, []string{"a@1 " + a + " #0", "b@1 " + b + " #0"}},
		{
			"whiteout of dots is a file",
			[][]entry{base, {{Name: "app/node_modules/.wh.."}, {Name: "app/node_modules/.wh..."}}},
			[]string{"a@1 " + a + " #0", "b@1 " + b + " #0"},
		},
		{"aufs bookkeeping", [][]entry{base, {{Name: "app/.wh..wh.plnk"}, {Name: ".wh..wh.aufs"}}}, []string{"a@1 " + a + " #0", "b@1 " + b + " #0"}},
		{"twice in one archive", [][]entry{{npm("app", "a", "1"), npm("app", "a", "2")}}, []string{"a@2 " + a + " #0"}},
		{"then a link in one archive", [][]entry{{npm("app", "a", "1"), link(a, "x")}}, []string{}},
		{
			"hard link is not counted twice",
			[][]entry{append(slices.Clone(base), entry{Name: "srv/node_modules/a/package.json", Link: a})},
			[]string{"a@1 " + a + " #0", "b@1 " + b + " #0"},
		},
		{"hard link survives its twin", [][]entry{
			append(slices.Clone(base), entry{Name: "srv/node_modules/a/package.json", Link: "./" + a}), {{Name: ".wh.app"}},
		}, []string{"a@1 srv/node_modules/a/package.json #0"}},
		{"hard link survives its twin's upgrade", [][]entry{
			append(slices.Clone(base), entry{Name: "srv/node_modules/a/package.json", Link: a}), {npm("app", "a", "2")},
		}, []string{"a@1 srv/node_modules/a/package.json #0", "a@2 " + a + " #1", "b@1 " + b + " #0"}},
		{"hard link to a hard link", [][]entry{
			append(slices.Clone(base), entry{Name: "x", Link: a}, entry{Name: "y", Link: "x"}), {{Name: ".wh.app"}, {Name: ".wh.x"}},
		}, []string{"a@1 y #0"}},
		{"hard link to a lower layer", [][]entry{base, {{Name: "x", Link: a}}, {{Name: ".wh.app"}}}, []string{"a@1 x #0"}},
		{
			"hard link removed",
			[][]entry{append(slices.Clone(base), entry{Name: "x", Link: a}), {{Name: ".wh.x"}}},
			[]string{"a@1 " + a + " #0", "b@1 " + b + " #0"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := merge.Merge("e", read(t, tt.layers...), nil)
			if diff := cmp.Diff(tt.want, at(got)); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMergeProgram replaces a real Go program by a script.
func TestMergeProgram(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module example.org/tool\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "tool", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "tool"))
	if err != nil {
		t.Fatal(err)
	}
	tool := entry{Name: "bin/tool", Content: string(program), Mode: 0o755}
	script := entry{Name: "bin/tool", Content: "#!/bin/sh\n", Mode: 0o755}
	got := merge.Merge("e", read(t, []entry{tool}), nil)
	if len(got.Packages) != 1 || got.Packages[0].Name != "stdlib" || got.Packages[0].Ecosystem != "Go" || got.Packages[0].Evidence != inventory.File {
		t.Errorf("got %+v", got.Packages)
	}
	if len(got.Notes) > 0 {
		t.Errorf("got notes %+v", got.Notes)
	}
	if got := merge.Merge("e", read(t, []entry{tool}, []entry{script}), nil); len(got.Packages) > 0 {
		t.Errorf("replaced: got %+v", got.Packages)
	}
}

func TestMergeDescribesLayers(t *testing.T) {
	layers := read(t, []entry{{Name: "a"}}, []entry{{Name: "b"}})
	history := []verdict.Layer{{Index: 0, Digest: layers[0].Digest, CreatedBy: "ADD", Size: 7}}
	layers[1].Notes = []verdict.Note{{Code: verdict.NoteLayerPartial, Layer: layers[1].Digest}}
	got := merge.Merge("e", layers, history)
	want := inventory.Image{
		Engine: "e", Packages: []inventory.Package{}, Notes: layers[1].Notes,
		Layers: []verdict.Layer{history[0], {Index: 1, Digest: layers[1].Digest, Size: layers[1].Size}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("image differs (-want +got):\n%s", diff)
	}
}

func TestMergeIsDeterministic(t *testing.T) {
	layers := read(t,
		[]entry{npm("a", "x", "1"), npm("b", "x", "1"), npm("c", "y", "1"), {Name: "l", Link: "a/node_modules/x/package.json"}},
		[]entry{npm("c", "y", "2"), {Name: ".wh.a"}})
	want, err := merge.Merge("e", layers, nil).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		got, err := merge.Merge("e", layers, nil).Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("the same layers gave other bytes")
		}
	}
}
