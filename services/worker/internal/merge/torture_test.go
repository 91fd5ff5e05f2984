package merge_test

import (
	"archive/tar"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/fingerprint"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/merge"
)

// TestMergeRareFiles goes on where TestMergeFiles ends: what images do seldom,
// and other readers of layers got wrong.
func TestMergeRareFiles(t *testing.T) {
	const a, b = "app/node_modules/a/package.json", "app/node_modules/b/package.json"
	base := []entry{npm("app", "a", "1"), npm("app", "b", "1")}
	both := []string{"a@1 " + a + " #0", "b@1 " + b + " #0"}
	link := func(name, target string) entry { return entry{Name: name, Link: target, Type: tar.TypeSymlink} }
	tests := []struct {
		name   string
		layers [][]entry
		want   []string
	}{
		{"opaque twice", [][]entry{base, {{Name: "app/.wh..wh..opq"}}, {npm("app", "a", "1"), {Name: "app/.wh..wh..opq"}}}, []string{"a@1 " + a + " #2"}},
		{"opaque below a whiteout", [][]entry{base, {{Name: ".wh.app"}, {Name: "app/node_modules/.wh..wh..opq"}, npm("app", "b", "2")}}, []string{"b@2 " + b + " #1"}},
		{"opaque file path", [][]entry{base, {{Name: a + "/.wh..wh..opq"}}}, both},
		{"opaque with dot path", [][]entry{base, {{Name: "./app/./.wh..wh..opq"}}}, []string{}},
		{"whiteout above and inside", [][]entry{base, {{Name: ".wh.app"}, {Name: "app/node_modules/.wh.a"}}}, []string{}},
		{"whiteout of what is not there", [][]entry{base, {{Name: "srv/.wh.x"}, {Name: ".wh.y"}}}, both},
		{"whiteout in the lowest layer", [][]entry{{{Name: ".wh.app"}, base[0], base[1]}}, both},
		{"whiteout, back, whiteout", [][]entry{base, {{Name: ".wh.app"}}, base, {{Name: "app/node_modules/.wh.b"}}}, []string{"a@1 " + a + " #2"}},
		{"whiteout as a folder", [][]entry{base, {{Name: "app/node_modules/.wh.a/"}}}, []string{"b@1 " + b + " #0"}},
		{"whiteout as a device", [][]entry{base, {{Name: a, Type: tar.TypeChar}}}, []string{"b@1 " + b + " #0"}},
		{"replaced by a pipe", [][]entry{base, {{Name: "app", Type: tar.TypeFifo}}}, []string{}},
		{"link replaced by its folder", [][]entry{base, {link("app/node_modules", "/srv")}, {{Name: "app/node_modules/"}, npm("app", "b", "1")}}, []string{"b@1 " + b + " #2"}},
		{"folder and file change places", [][]entry{base, {{Name: "app", Content: "x"}}, {{Name: "app/"}, npm("app", "a", "3")}}, []string{"a@3 " + a + " #2"}},
		{"folder twice in one archive", [][]entry{base, {{Name: "app/"}, npm("app", "a", "2"), {Name: "app/"}}}, []string{"a@2 " + a + " #1", "b@1 " + b + " #0"}},
		{"other case is another file", [][]entry{base, {{Name: "APP/node_modules/.wh.a"}, {Name: "App", Content: "x"}}}, both},
		{"longer name is another file", [][]entry{base, {{Name: "app2", Content: "x"}, {Name: "ap", Content: "x"}}}, both},
		{"empty layers", [][]entry{{}, base, {}, {}}, []string{"a@1 " + a + " #1", "b@1 " + b + " #1"}},
		{"same version again", [][]entry{base, {npm("app", "a", "2")}, {npm("app", "a", "1")}}, []string{"a@1 " + a + " #2", "b@1 " + b + " #0"}},
		{"file becomes unreadable and back", [][]entry{base, {{Name: a, Content: "{"}}, {npm("app", "a", "1")}}, []string{"a@1 " + a + " #2", "b@1 " + b + " #0"}},
		{"two hard links, target removed in the same layer", [][]entry{
			base, {{Name: "x", Link: a}, {Name: "y", Link: a}}, {{Name: ".wh.app"}, {Name: ".wh.x"}},
		}, []string{"a@1 y #0"}},
		{"hard link to what is in no layer", [][]entry{base, {{Name: "x", Link: "nowhere"}}}, both},
		{"hard link to itself", [][]entry{base, {{Name: "x", Link: "x"}}}, both},
		{"hard link replaced", [][]entry{
			append(slices.Clone(base), entry{Name: "x", Link: a}), {{Name: ".wh.app"}}, {{Name: "x", Content: "other"}},
		}, []string{}},
		{"hard link's target gets a whiteout in its own layer", [][]entry{base, {{Name: "x", Link: a}, {Name: "app/node_modules/a/.wh.package.json"}}}, []string{"a@1 x #0", "b@1 " + b + " #0"}},
		{"opaque folder, then its files again, then a whiteout", [][]entry{base, {{Name: "app/.wh..wh..opq"}, npm("app", "a", "1"), npm("app", "b", "2")}, {{Name: "app/node_modules/.wh.b"}}}, []string{"a@1 " + a + " #0"}},
		{"opaque root keeps its own layer, whatever the order", [][]entry{base, {npm("app", "a", "2"), {Name: "./.wh..wh..opq"}, npm("srv", "c", "1")}}, []string{"a@2 " + a + " #1", "c@1 srv/node_modules/c/package.json #1"}},
		{"opaque by an absolute path", [][]entry{base, {{Name: "/app/../app/.wh..wh..opq"}}}, []string{}},
		{"whiteout of a folder's file, folder replaced by a file, and back", [][]entry{base, {{Name: "app/node_modules/.wh.a"}}, {{Name: "app/node_modules", Content: "x"}}, {{Name: "app/node_modules/"}, npm("app", "b", "1")}}, []string{"b@1 " + b + " #3"}},
		{"folder becomes a hard link", [][]entry{append(slices.Clone(base), entry{Name: "plain", Content: "x"}), {{Name: "app", Link: "plain"}}}, []string{}},
		{"three of one path in one archive, the last a folder", [][]entry{base, {npm("app", "a", "2"), link(a, "x"), {Name: a + "/"}}}, []string{"b@1 " + b + " #0"}},
		{"whiteout with dots in its path", [][]entry{base, {{Name: "../app/x/../node_modules/.wh.a"}}}, []string{"b@1 " + b + " #0"}},
		{"whiteout of a whiteout", [][]entry{base, {{Name: "app/node_modules/.wh..wh.a"}}}, both},
		{"long names", [][]entry{{npm(strings.Repeat("long/", 60)+"app", "a", "1")}, {{Name: strings.Repeat("long/", 60) + ".wh.app"}}}, []string{}},
		{"non-ASCII names", [][]entry{{npm("приложение/ünï", "a", "1")}, {{Name: "приложение/.wh.ünï"}}}, []string{}},
		{"hard link over a package", [][]entry{base, {{Name: b, Link: a}}}, []string{"a@1 " + a + " #0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, at(merge.Merge("e", read(t, tt.layers...), nil))); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMergeListedFiles lays layers whose files are on a user's list.
func TestMergeListedFiles(t *testing.T) {
	const miner = "#!/bin/sh\necho mining\n"
	list, err := fingerprint.Parse(strings.NewReader("e29fd24281fb3bf28d28cf4c8d6d8e6a3c5f1e6f5c20ba2ae11e3a6a7c1cb0b1 other\n" + sum(miner) + " miner 1 critical"))
	if err != nil {
		t.Fatal(err)
	}
	program := func(name string) entry { return entry{Name: name, Content: miner, Mode: 0o755} }
	tests := []struct {
		name   string
		layers [][]entry
		want   []string
	}{
		{"there", [][]entry{{program("bin/a")}, {program("bin/b")}}, []string{"miner@1 bin/a #0", "miner@1 bin/b #1"}},
		{"removed", [][]entry{{program("bin/a")}, {{Name: "bin/.wh.a"}}}, []string{}},
		{"replaced", [][]entry{{program("bin/a")}, {{Name: "bin/a", Content: "#!/bin/sh\n", Mode: 0o755}}}, []string{}},
		{"hard link survives", [][]entry{{program("bin/a"), {Name: "sbin/a", Link: "bin/a"}}, {{Name: ".wh.bin"}}}, []string{"miner@1 sbin/a #0"}},
		{"renamed", [][]entry{{program("bin/a")}, {{Name: "bin/.wh.a"}, program("usr/bin/sshd")}}, []string{"miner@1 usr/bin/sshd #1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layers := readHashed(t, tt.layers...)
			for i := range layers {
				layers[i] = list.Mark(layers[i])
			}
			got := merge.Merge("e", layers, nil)
			if diff := cmp.Diff(tt.want, at(got)); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
			}
			for _, p := range got.Packages {
				if p.Evidence != inventory.Hashed || p.PURL != "pkg:generic/miner@1?checksum=sha256:"+sum(miner) {
					t.Errorf("got %+v", p)
				}
			}
		})
	}
}

// TestMergeWindows: a layer of Windows tells by itself that it is one, and the
// note that Windows has no advisories is there once.
func TestMergeWindows(t *testing.T) {
	app := []entry{{Name: "Files/"}, {Name: "Hives/"}, npm("Files/app", "a", "1")}
	foreign := inventory.Layer{Digest: "sha256:f", Partial: true, Notes: []verdict.Note{{Code: verdict.NoteForeignLayer, Layer: "sha256:f"}}}
	image := merge.Merge("e", append([]inventory.Layer{foreign}, read(t, app)...), nil)
	codes := func() (all []string) {
		for _, n := range image.Notes {
			all = append(all, n.Code)
		}
		return all
	}
	want := []string{verdict.NoteForeignLayer, verdict.NoteUnsupportedOS}
	if diff := cmp.Diff(want, codes()); diff != "" || image.OS.ID != "windows" {
		t.Errorf("OS %+v, notes differ (-want +got):\n%s", image.OS, diff)
	}
	if diff := cmp.Diff([]string{"a@1 Files/app/node_modules/a/package.json #1"}, at(image)); diff != "" {
		t.Errorf("packages differ (-want +got):\n%s", diff)
	}
	merge.Windows(&image, "10.0.20348.2340")
	if diff := cmp.Diff(want, codes()); diff != "" || image.OS != (verdict.OS{ID: "windows", Version: "10.0.20348.2340", Name: "Windows 10.0.20348.2340"}) {
		t.Errorf("OS %+v, notes differ (-want +got):\n%s", image.OS, diff)
	}
	// All layers foreign: only the configuration tells.
	image = merge.Merge("e", []inventory.Layer{foreign}, nil)
	merge.Windows(&image, "10.0")
	if diff := cmp.Diff(want, codes()); diff != "" {
		t.Errorf("foreign: notes differ (-want +got):\n%s", diff)
	}
}
