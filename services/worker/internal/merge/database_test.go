package merge_test

import (
	"archive/tar"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/merge"
)

const (
	dpkg   = "var/lib/dpkg/status"
	debian = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
)

// stanzas is a status file of packages given as name=version.
func stanzas(path string, packages ...string) entry {
	var text strings.Builder
	for _, p := range packages {
		name, version, _ := strings.Cut(p, "=")
		text.WriteString("Package: " + name + "\nStatus: install ok installed\nArchitecture: amd64\nVersion: " + version + "\n\n")
	}
	return entry{Name: path, Content: text.String()}
}

func osRelease(content string) entry { return entry{Name: "etc/os-release", Content: content} }

// TestMergeDatabases follows a package database through the layers: the last
// state counts, and a package belongs to the layer since which it has been
// there without a break.
func TestMergeDatabases(t *testing.T) {
	base := []entry{osRelease(debian), stanzas(dpkg, "a=1", "b=1")}
	tests := []struct {
		name   string
		layers [][]entry
		want   []string
	}{
		{"installed later", [][]entry{base, {stanzas(dpkg, "a=1", "b=1", "c=1")}}, []string{
			"a@1 " + dpkg + " #0", "b@1 " + dpkg + " #0", "c@1 " + dpkg + " #1",
		}},
		{"removed", [][]entry{base, {stanzas(dpkg, "b=1")}}, []string{"b@1 " + dpkg + " #0"}},
		{"upgraded", [][]entry{base, {stanzas(dpkg, "a=2", "b=1")}}, []string{"a@2 " + dpkg + " #1", "b@1 " + dpkg + " #0"}},
		{"upgraded and back", [][]entry{base, {stanzas(dpkg, "a=2", "b=1")}, {stanzas(dpkg, "a=1", "b=1")}}, []string{
			"a@1 " + dpkg + " #2", "b@1 " + dpkg + " #0",
		}},
		{"layers between", [][]entry{base, {{Name: "x"}}, {stanzas(dpkg, "a=1", "c=1")}, {{Name: "y"}}}, []string{
			"a@1 " + dpkg + " #0", "c@1 " + dpkg + " #2",
		}},
		{"emptied", [][]entry{base, {{Name: dpkg}}}, []string{}},
		{"removed whole", [][]entry{base, {{Name: "var/lib/dpkg/.wh.status"}}}, []string{}},
		{"moved", [][]entry{base, {{Name: "var/lib/dpkg/.wh.status"}, stanzas("var/lib/dpkg/status.d/a", "a=1")}}, []string{
			"a@1 var/lib/dpkg/status.d/a #0",
		}},
		{"folder replaced by a symbolic link", [][]entry{
			base, {{Name: "var/lib/dpkg", Link: "/opt/dpkg", Type: tar.TypeSymlink}, stanzas("opt/dpkg/status", "a=1")},
		}, []string{}},
		{"folder is opaque, and filled again", [][]entry{base, {{Name: "var/lib/dpkg/.wh..wh..opq"}, stanzas(dpkg, "b=1", "c=1")}}, []string{
			"b@1 " + dpkg + " #0", "c@1 " + dpkg + " #1",
		}},
		{"twice in one archive", [][]entry{base, {stanzas(dpkg, "a=1", "b=1", "c=1"), stanzas(dpkg, "a=1")}}, []string{"a@1 " + dpkg + " #0"}},
		{"whiteout and database in one archive", [][]entry{base, {stanzas(dpkg, "a=2"), {Name: "var/lib/dpkg/.wh.status"}}}, []string{"a@2 " + dpkg + " #1"}},
		{"removed, then one of a lower version", [][]entry{base, {{Name: ".wh.var"}}, {stanzas(dpkg, "a=0")}}, []string{"a@0 " + dpkg + " #2"}},
		{"dot and absolute paths", [][]entry{{osRelease(debian), stanzas("./"+dpkg, "a=1")}, {stanzas("/"+dpkg, "a=2")}}, []string{"a@2 " + dpkg + " #1"}},
		{"hard link to the database", [][]entry{append(slices.Clone(base), entry{Name: "backup", Link: dpkg}), {stanzas(dpkg, "a=2")}}, []string{
			"a@1 backup #0", "a@2 " + dpkg + " #1", "b@1 backup #0",
		}},
		{"one file a package", [][]entry{
			{osRelease(debian), stanzas("var/lib/dpkg/status.d/a", "a=1"), stanzas("var/lib/dpkg/status.d/b", "b=1")},
			{stanzas("var/lib/dpkg/status.d/b", "b=2")},
			{stanzas("var/lib/dpkg/status.d/c", "c=1"), {Name: "var/lib/dpkg/status.d/.wh.a"}},
		}, []string{"b@2 var/lib/dpkg/status.d/b #1", "c@1 var/lib/dpkg/status.d/c #2"}},
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

func TestMergeOwned(t *testing.T) {
	list := func(pkg string, files ...string) entry {
		return entry{Name: "var/lib/dpkg/info/" + pkg + ".list", Content: "/" + strings.Join(files, "\n/") + "\n"}
	}
	maintained := func(name, maintainer string) string {
		return "Package: " + name + "\nStatus: install ok installed\nVersion: 1\nMaintainer: " + maintainer + "\n\n"
	}
	layers := read(t, []entry{
		osRelease(debian),
		{Name: dpkg, Content: maintained("node-a", "JS <js@lists.debian.org>") + maintained("nodejs", "Ivan <x@nodesource.com>")},
		list("node-a", "usr/share/nodejs/a/package.json", "lib/node_modules/b/package.json"),
		list("nodejs", "usr/lib/node_modules/npm/package.json"),
		list("gone", "app/node_modules/d/package.json"),
		{Name: "usr/share/nodejs/a/package.json", Content: `{"name":"a","version":"1"}`},
		npm("usr/lib", "b", "1"),
		npm("usr/lib", "npm", "1"),
		npm("app", "c", "1"),
		npm("app", "d", "1"),
	}, []entry{npm("app", "c", "2")})
	got := map[string]string{}
	for _, p := range merge.Merge("e", layers, nil).Packages {
		got[p.Name] = p.OwnedBy
	}
	want := map[string]string{"node-a": "", "nodejs": "", "a": "node-a", "b": "node-a", "npm": "", "c": "", "d": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("owners differ (-want +got):\n%s", diff)
	}
	// With its list gone, nobody owns the file.
	layers = append(layers, read(t, []entry{{Name: "var/lib/dpkg/info/.wh.node-a.list"}})...)
	for _, p := range merge.Merge("e", layers, nil).Packages {
		if p.OwnedBy != "" {
			t.Errorf("%s is owned by %s", p.Name, p.OwnedBy)
		}
	}
}

// TestMergeOwnedFileReplaced puts other content, and the same again, in the
// place of a package's file.
func TestMergeOwnedFileReplaced(t *testing.T) {
	list := entry{Name: "var/lib/dpkg/info/node-a.list", Content: "/usr/share/nodejs/a/package.json\n"}
	files := func(version string) []entry {
		return []entry{{Name: "usr/share/nodejs/a/package.json", Content: `{"name":"a","version":"` + version + `"}`}}
	}
	base := []entry{osRelease(debian), stanzas(dpkg, "node-a=1"), list}
	for _, tt := range []struct {
		name   string
		layers [][]entry
		owner  string
	}{
		{"as installed", [][]entry{append(files("1"), base...)}, "node-a"},
		{"replaced", [][]entry{append(files("1"), base...), files("2")}, ""},
		{"replaced, and the package upgraded", [][]entry{append(files("1"), base...), files("2"), {stanzas(dpkg, "node-a=2")}}, "node-a"},
		{"upgraded in one layer", [][]entry{append(files("1"), base...), append(files("2"), stanzas(dpkg, "node-a=2"))}, "node-a"},
		{"written again", [][]entry{append(files("1"), base...), files("1")}, "node-a"},
		{"replaced, then written again", [][]entry{append(files("1"), base...), files("2"), files("2")}, ""},
		{"divided into layers", [][]entry{base, files("1")}, "node-a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range merge.Merge("e", read(t, tt.layers...), nil).Packages {
				if p.Type == "npm" && p.OwnedBy != tt.owner {
					t.Errorf("owned by %q, want %q", p.OwnedBy, tt.owner)
				}
			}
		})
	}
}

// TestMergeOwnedByVendor has rpms of the distribution's own and of others.
func TestMergeOwnedByVendor(t *testing.T) {
	for _, tt := range []struct {
		id, vendor string
		owned      bool
	}{
		{"rhel", "Red Hat, Inc.", true},
		{"rhel", "Fedora Project", false},
		{"rhel", "Microsoft Corporation", false},
		{"rhel", "", false},
		{"rocky", "Rocky Enterprise Software Foundation", true},
		{"rocky", "Fedora Project", false},
		{"almalinux", "AlmaLinux", true},
		{"sles", "SUSE LLC <https://www.suse.com/>", true},
		{"opensuse-leap", "openSUSE", true},
		{"opensuse-leap", "obs://build.opensuse.org/home:somebody", false},
		{"azurelinux", "Microsoft Corporation", true},
		{"photon", "VMware, Inc.", true},
		{"openEuler", "http://openeuler.org", true},
	} {
		path := "usr/lib/python3/site-packages/a.dist-info/METADATA"
		got := merge.Merge("e", []inventory.Layer{{
			Releases: []inventory.Release{{Path: "etc/os-release", Content: "ID=" + tt.id + "\nVERSION_ID=9\n"}},
			Packages: []inventory.Package{
				{Type: "pypi", Name: "a", Version: "1", Location: path},
				{Type: "rpm", Name: "python3-a", Version: "1-1", Vendor: tt.vendor, Location: "var/lib/rpm/rpmdb.sqlite"},
			},
			Owners: []inventory.Owner{{Package: "python3-a", Location: "var/lib/rpm/rpmdb.sqlite", Files: inventory.Hashes{inventory.Hash(path)}}},
		}}, nil)
		if owned := got.Packages[0].OwnedBy != ""; owned != tt.owned {
			t.Errorf("%s of %s: owned %v", tt.vendor, tt.id, owned)
		}
	}
}

// TestMergeRelease looks which os-release is in effect.
func TestMergeRelease(t *testing.T) {
	lib := func(content string) entry { return entry{Name: "usr/lib/os-release", Content: content} }
	other := "ID=other\nVERSION_ID=1\n"
	symlink := entry{Name: "etc/os-release", Link: "../usr/lib/os-release", Type: tar.TypeSymlink}
	tests := []struct {
		name   string
		layers [][]entry
		want   string
	}{
		{"etc before usr", [][]entry{{lib(other), osRelease(debian)}}, "debian"},
		{"etc before usr of a later layer", [][]entry{{osRelease(debian)}, {lib(other)}}, "debian"},
		{"symbolic link", [][]entry{{lib(debian), symlink}}, "debian"},
		{"hard link", [][]entry{{lib(debian), {Name: "etc/os-release", Link: "usr/lib/os-release"}}, {{Name: ".wh.usr"}}}, "debian"},
		{"the last counts", [][]entry{{osRelease(other)}, {osRelease(debian)}}, "debian"},
		{"replaced by a link", [][]entry{{osRelease(other)}, {lib(debian), symlink}}, "debian"},
		{"removed", [][]entry{{osRelease(debian)}, {{Name: "etc/.wh.os-release"}}}, ""},
		{"none", [][]entry{{{Name: "x"}}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := merge.Merge("e", read(t, tt.layers...), nil).OS.ID; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	want := verdict.OS{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"}
	if got := merge.Merge("e", read(t, []entry{osRelease(debian)}), nil).OS; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestMergeEcosystems maps distributions to OSV's names and to package URLs.
func TestMergeEcosystems(t *testing.T) {
	tests := []struct {
		id, version, kind string
		ecosystem, purl   string
		note              string
	}{
		{"debian", "12", "deb", "Debian:12", "pkg:deb/debian/p@1:2-3?arch=a&distro=debian-12", ""},
		{"debian", "", "deb", "", "pkg:deb/debian/p@1:2-3?arch=a&distro=debian", verdict.NoteUnsupportedOS},
		{"ubuntu", "22.04", "deb", "Ubuntu:22.04:LTS", "pkg:deb/ubuntu/p@1:2-3?arch=a&distro=ubuntu-22.04", ""},
		{"ubuntu", "24.10", "deb", "Ubuntu:24.10", "pkg:deb/ubuntu/p@1:2-3?arch=a&distro=ubuntu-24.10", ""},
		{"ubuntu", "23.04", "deb", "Ubuntu:23.04", "pkg:deb/ubuntu/p@1:2-3?arch=a&distro=ubuntu-23.04", ""},
		{"alpine", "3.20.3", "apk", "Alpine:v3.20", "pkg:apk/alpine/p@1:2-3?arch=a&distro=alpine-3.20.3", ""},
		{"alpine", "3.21_alpha20240807", "apk", "", "pkg:apk/alpine/p@1:2-3?arch=a&distro=alpine-3.21_alpha20240807", verdict.NoteUnsupportedOS},
		{"wolfi", "20230201", "apk", "Wolfi", "pkg:apk/wolfi/p@1:2-3?arch=a&distro=wolfi-20230201", ""},
		{"almalinux", "9.4", "rpm", "AlmaLinux:9", "pkg:rpm/almalinux/p@2-3?arch=a&distro=almalinux-9.4&epoch=1", ""},
		{"rocky", "9.4", "rpm", "Rocky Linux:9", "pkg:rpm/rocky/p@2-3?arch=a&distro=rocky-9.4&epoch=1", ""},
		{"rhel", "9.4", "rpm", "Red Hat:enterprise_linux:9", "pkg:rpm/redhat/p@2-3?arch=a&distro=rhel-9.4&epoch=1", ""},
		{"fedora", "40", "rpm", "", "pkg:rpm/fedora/p@2-3?arch=a&distro=fedora-40&epoch=1", verdict.NoteUnsupportedOS},
		{"amzn", "2023", "rpm", "", "pkg:rpm/amzn/p@2-3?arch=a&distro=amzn-2023&epoch=1", verdict.NoteUnsupportedOS},
		{"kali", "2024.1", "deb", "", "pkg:deb/kali/p@1:2-3?arch=a&distro=kali-2024.1", verdict.NoteUnsupportedOS},
		{"debian", "12", "apk", "", "pkg:apk/debian/p@1:2-3?arch=a&distro=debian-12", verdict.NoteUnsupportedOS},
		{"", "", "deb", "", "", verdict.NoteUnsupportedOS},
		{"debian", "12", "npm", "npm", "pkg:npm/p@1:2-3", verdict.NoteFileUnreadable},
		{"", "", "npm", "npm", "pkg:npm/p@1:2-3", ""},
	}
	for _, tt := range tests {
		t.Run(tt.id+tt.version+tt.kind, func(t *testing.T) {
			got := merge.Merge("e", []inventory.Layer{{
				Releases: []inventory.Release{{Path: "etc/os-release", Content: "ID=" + tt.id + "\nVERSION_ID='" + tt.version + "'\n"}},
				Packages: []inventory.Package{{Type: tt.kind, Name: "p", Version: "1:2-3", Arch: "a", Location: "x"}},
			}}, nil)
			if p := got.Packages[0]; p.Ecosystem != tt.ecosystem || p.PURL != tt.purl {
				t.Errorf("got %q, %q, want %q, %q", p.Ecosystem, p.PURL, tt.ecosystem, tt.purl)
			}
			var note string
			if len(got.Notes) > 0 {
				note = got.Notes[0].Code
			}
			if note != tt.note || len(got.Notes) > 1 {
				t.Errorf("got notes %+v, want %q", got.Notes, tt.note)
			}
		})
	}
}

func TestMergeLanguages(t *testing.T) {
	tests := []struct {
		kind, name      string
		ecosystem, purl string
	}{
		{"npm", "@types/node", "npm", "pkg:npm/%40types/node@1.2.3"},
		{"pypi", "foo-bar", "PyPI", "pkg:pypi/foo-bar@1.2.3"},
		{"golang", "stdlib", "Go", "pkg:golang/stdlib@1.2.3"},
		{"golang", "github.com/x/y/v2", "Go", "pkg:golang/github.com/x/y/v2@v1.2.3"},
		{"golang", "github.com/Azure/Go", "Go", "pkg:golang/github.com/azure/go@v1.2.3"},
		{"composer", "Symfony/HTTP-Kernel", "Packagist", "pkg:composer/symfony/http-kernel@1.2.3"},
		{"npm", "JSONStream", "npm", "pkg:npm/JSONStream@1.2.3"},
		{"maven", "org.x:y", "Maven", "pkg:maven/org.x/y@1.2.3"},
		{"gem", "rack", "RubyGems", "pkg:gem/rack@1.2.3"},
		{"cargo", "time", "crates.io", "pkg:cargo/time@1.2.3"},
		{"nuget", "Newtonsoft.Json", "NuGet", "pkg:nuget/Newtonsoft.Json@1.2.3"},
		{"composer", "symfony/console", "Packagist", "pkg:composer/symfony/console@1.2.3"},
		{"cran", "jsonlite", "CRAN", "pkg:cran/jsonlite@1.2.3"},
		{"bioconductor", "limma", "Bioconductor", "pkg:bioconductor/limma@1.2.3"},
		{"vscode-extension", "ms-python.python", "VSCode", "pkg:vscode-extension/ms-python/python@1.2.3"},
		{"bitnami", "nginx", "Bitnami", "pkg:bitnami/nginx@1.2.3"},
		{"conda", "openssl", "", "pkg:conda/openssl@1.2.3"},
	}
	for _, tt := range tests {
		got := merge.Merge("e", []inventory.Layer{{
			Packages: []inventory.Package{{Type: tt.kind, Name: tt.name, Version: "1.2.3", Location: "x"}},
		}}, nil)
		if p := got.Packages[0]; p.Ecosystem != tt.ecosystem || p.PURL != tt.purl {
			t.Errorf("%s: got %q, %q, want %q, %q", tt.name, p.Ecosystem, p.PURL, tt.ecosystem, tt.purl)
		}
	}
}
