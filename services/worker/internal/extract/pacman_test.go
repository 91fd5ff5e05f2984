package extract

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

func TestPacmanAndPortage(t *testing.T) {
	const arch, gentoo = "var/lib/pacman/local/libxml2-2.9.14-1/desc", "var/db/pkg/media-fonts/font-bh-100dpi-1.0.4-r1/PF"
	s := newSet(t)
	got := run(t, s, arch, "%NAME%\nlibxml2\n\n%VERSION%\n1:2.9.14-1\n\n%BASE%\nlibxml\n\n%DESC%\n%NAME%\n\n%ARCH%\nx86_64\n\n"+
		"%PACKAGER%\nA B <a@archlinux.org>\n\n%LICENSE%\nMIT\nGPL\n\n%DEPENDS%\nzlib\n")
	want := []inventory.Package{{
		Type: "alpm", Name: "libxml2", Version: "1:2.9.14-1", Arch: "x86_64", Source: verdict.Source{Name: "libxml", Version: "1:2.9.14-1"},
		Vendor: "A B <a@archlinux.org>", Licenses: []string{"MIT", "GPL"}, Evidence: inventory.Record, Location: arch,
	}}
	if diff := cmp.Diff(want, got.Packages); diff != "" || got.Notes != nil {
		t.Errorf("notes %v, packages differ (-want +got):\n%s", got.Notes, diff)
	}
	got = run(t, s, gentoo, "font-bh-100dpi-1.0.4-r1\n")
	want = []inventory.Package{{
		Type: "ebuild", Name: "media-fonts/font-bh-100dpi", Version: "1.0.4-r1", Evidence: inventory.Record, Location: gentoo,
	}}
	if diff := cmp.Diff(want, got.Packages); diff != "" || got.Notes != nil {
		t.Errorf("notes %v, packages differ (-want +got):\n%s", got.Notes, diff)
	}
	for pf, version := range map[string]string{
		"zlib-1.3.1": "1.3.1", "openssl-3.0.13_p1-r2": "3.0.13_p1-r2", "a-1_alpha_beta2": "1_alpha_beta2", "timezone-data-2024a": "2024a",
		"xorg-server-9999": "9999", "gcc": "", "gcc-x1": "", "": "", "-1": "", "a/b-1": "",
	} {
		got := run(t, s, "var/db/pkg/c/x/PF", pf)
		if version == "" && (len(got.Packages) != 0 || len(got.Notes) != 1) || version != "" && (len(got.Packages) != 1 || got.Packages[0].Version != version) {
			t.Errorf("%q: got %+v", pf, got)
		}
	}
	if got := run(t, s, arch, "%NAME%\nx\n"); len(got.Packages) != 0 || len(got.Notes) != 1 {
		t.Errorf("without a version: %+v", got)
	}
	for _, name := range []string{"var/lib/pacman/local/desc", "var/lib/pacman/sync/x/desc", "srv/var/db/pkg/c/x/PF", "var/db/pkg/c/PF", "var/db/pkg/c/x/CATEGORY", "var/db/pkg/c/-MERGING-x-1/PF"} {
		if kind := KindOf(name, 0o644); kind != None {
			t.Errorf("%s is %s", name, kind)
		}
	}
}

// TestPortageTree has everything that emerge leaves of a package.
func TestPortageTree(t *testing.T) {
	const folder, ebuild = "var/db/pkg/dev-libs/openssl-3.0.13-r2/", "openssl-3.0.13-r2"
	s := newSet(t)
	var got []string
	for name, content := range map[string]string{
		"BUILD_TIME": "1715774000\n", "CATEGORY": "dev-libs\n", "CBUILD": "x86_64-pc-linux-gnu\n", "CHOST": "x86_64-pc-linux-gnu\n",
		"CFLAGS":   "-O2 -pipe\n",
		"CONTENTS": "dir /usr\ndir /usr/bin\nobj /usr/bin/openssl 0cc175b9c0f1b6a831c399e269772661 1715774000\nsym /usr/lib64/libssl.so -> libssl.so.3 1715774000\n",
		"COUNTER":  "42\n", "DEFINED_PHASES": "compile configure install\n", "DEPEND": ">=app-misc/c_rehash-1.7-r1\n",
		"DESCRIPTION": "Full-strength general purpose cryptography library (including SSL and TLS)\n", "EAPI": "8\n",
		"HOMEPAGE": "https://www.openssl.org/\n", "INHERITED": "edo multilib\n", "IUSE": "asm +static-libs\n", "KEYWORDS": "amd64 ~arm\n",
		"LICENSE": "Apache-2.0\n", "NEEDED": "/usr/bin/openssl libssl.so.3\n", "PF": ebuild + "\n", "PROVIDES": "x86_64: libssl.so.3\n",
		"RDEPEND": "app-misc/c_rehash\n", "SIZE": "12345\n", "SLOT": "0/3\n", "USE": "abi_x86_64 asm\n", "environment.bz2": "BZh9",
		ebuild + ".ebuild": "EAPI=8\n", "repository": "gentoo\n",
	} {
		found := run(t, s, folder+name, content)
		got = append(got, names(found)...)
		if len(found.Notes) > 0 {
			t.Errorf("%s: %v", name, found.Notes)
		}
	}
	if diff := cmp.Diff([]string{"dev-libs/openssl@3.0.13-r2"}, got); diff != "" {
		t.Errorf("packages differ (-want +got):\n%s", diff)
	}
}
