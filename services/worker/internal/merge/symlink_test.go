package merge_test

import (
	"archive/tar"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/worker/internal/merge"
)

// TestMergeThroughLinks: what overlay file systems show of entries whose path
// leads through a symbolic link. A link of the same layer is followed, as the
// layer is unpacked into a folder of its own; in the place of one of a layer
// below there is a folder afterwards.
func TestMergeThroughLinks(t *testing.T) {
	const under = "usr/lib/node_modules/a/package.json"
	link := func(name, target string) entry { return entry{Name: name, Link: target, Type: tar.TypeSymlink} }
	base := []entry{npm("usr/lib", "a", "1"), npm("usr/lib", "b", "1")}
	b := "b@1 usr/lib/node_modules/b/package.json #0"
	linked := append(slices.Clone(base), link("lib", "usr/lib"))
	tests := []struct {
		name   string
		layers [][]entry
		want   []string
	}{
		{"own link", [][]entry{base, {link("lib", "usr/lib"), npm("lib", "a", "2")}}, []string{"a@2 " + under + " #1", b}},
		{"own absolute link", [][]entry{base, {link("lib", "/usr/lib"), npm("lib", "a", "2")}}, []string{"a@2 " + under + " #1", b}},
		{"own link further down", [][]entry{base, {link("opt/x/lib", "../../usr/./lib/"), npm("opt/x/lib", "a", "2")}}, []string{"a@2 " + under + " #1", b}},
		{"own link out of the root", [][]entry{base, {link("lib", "../../../usr/lib"), npm("lib", "a", "2")}}, []string{"a@2 " + under + " #1", b}},
		{"own link to a link", [][]entry{base, {link("l", "lib"), link("lib", "usr/lib"), npm("l", "a", "2")}}, []string{"a@2 " + under + " #1", b}},
		{"own links in a circle", [][]entry{base, {link("l", "m"), link("m", "l"), npm("l", "a", "2")}}, []string{"a@1 " + under + " #0", "a@2 l/node_modules/a/package.json #1", b}},
		{"own link behind the entry", [][]entry{base, {npm("lib", "a", "2"), link("libs", "lib")}}, []string{"a@1 " + under + " #0", "a@2 lib/node_modules/a/package.json #1", b}},
		{"own link, replaced by a folder", [][]entry{base, {link("lib", "usr/lib"), {Name: "lib/"}, npm("lib", "a", "2")}}, []string{"a@1 " + under + " #0", "a@2 lib/node_modules/a/package.json #1", b}},
		{"link of a lower layer", [][]entry{linked, {npm("lib", "a", "2")}}, []string{"a@1 " + under + " #0", "a@2 lib/node_modules/a/package.json #1", b}},
		{"removed through an own link", [][]entry{base, {link("lib", "usr/lib"), {Name: "lib/node_modules/.wh.a"}}}, []string{b}},
		{"hidden through an own link", [][]entry{base, {link("lib", "usr/lib"), {Name: "lib/.wh..wh..opq"}, npm("lib", "a", "2")}}, []string{"a@2 " + under + " #1"}},
		{"removed through a link of a lower layer", [][]entry{linked, {{Name: "lib/node_modules/.wh.a"}}}, []string{"a@1 " + under + " #0", b}},
		{"hard link through an own link", [][]entry{
			append(slices.Clone(linked), entry{Name: "x", Link: "lib/node_modules/a/package.json"}), {{Name: ".wh.usr"}},
		}, []string{"a@1 x #0"}},
		{"package replaced by a folder that has no entry", [][]entry{base, {{Name: under + "/x", Content: "x"}}}, []string{b}},
		{"package at the place of a whiteout's folder", [][]entry{base, {{Name: under + "/x/.wh.y"}}}, []string{"a@1 " + under + " #0", b}},
		{"removed where it landed", [][]entry{base, {link("lib", "usr/lib"), npm("lib", "a", "2")}, {{Name: "usr/lib/node_modules/.wh.a"}}}, []string{b}},
		{"link removed, file stays", [][]entry{base, {link("lib", "usr/lib"), npm("lib", "a", "2")}, {{Name: ".wh.lib"}}}, []string{"a@2 " + under + " #1", b}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, at(merge.Merge("e", read(t, tt.layers...), nil))); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
			}
		})
	}
}

// A package database that is found by its path stays found behind a link.
func TestDatabaseBehindLink(t *testing.T) {
	const status = "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.2.13\n\n"
	image := merge.Merge("e", read(t, []entry{
		{Name: "var", Link: "data", Type: tar.TypeSymlink},
		{Name: "etc", Link: "config", Type: tar.TypeSymlink},
		{Name: "var/lib/dpkg/status", Content: status},
		{Name: "etc/os-release", Content: "ID=debian\nVERSION_ID=12\n"},
	}), nil)
	if len(image.Packages) != 1 || image.Packages[0].Ecosystem != "Debian:12" {
		t.Errorf("got %+v of %+v", image.Packages, image.OS)
	}
}
