package extract

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pkgbuild makes three packages of one source, one of them with an epoch's
// version of its own and a description that looks like a field.
const pkgbuild = `pkgbase=landed
pkgname=(landed lib32-landed landed-2-docs)
pkgver=1.2.3
pkgrel=2
epoch=1
arch=(x86_64)
license=(MIT 'GPL-2.0-or-later WITH Classpath-exception-2.0')
package_landed() { pkgdesc='%NAME%'; mkdir -p "$pkgdir/usr/bin"; echo '#!/bin/sh' >"$pkgdir/usr/bin/landed"; }
package_lib32-landed() { arch=(any); depends=(landed); mkdir -p "$pkgdir/usr/lib32"; echo x >"$pkgdir/usr/lib32/landed"; }
package_landed-2-docs() { mkdir -p "$pkgdir/usr/share"; echo x >"$pkgdir/usr/share/landed"; }
`

// makepkgConf asks for nothing that needs the system's database or root.
const makepkgConf = `CARCH=x86_64
CHOST=x86_64-pc-linux-gnu
BUILDENV=(!fakeroot !check !sign !color)
OPTIONS=(!strip)
INTEGRITY_CHECK=(sha256)
COMPRESSGZ=(gzip -c)
PKGEXT=.pkg.tar.gz
SRCEXT=.src.tar.gz
PACKAGER='A B <a@example.org>'
`

// TestRealPacman has pacman install packages, and remove one, and finds what
// pacman lists.
func TestRealPacman(t *testing.T) {
	for tool, from := range map[string]string{
		"pacman": "pacman-package-manager", "makepkg": "makepkg", "bsdtar": "libarchive-tools", "runuser": "util-linux",
	} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: package %s", tool, from)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("pacman installs as root only")
	}
	dir := builder(t)
	command(t, dir, "runuser", "-u", "nobody", "--", "env", "HOME="+dir, "makepkg", "--config", filepath.Join(dir, "makepkg.conf"), "--nodeps")
	built, err := filepath.Glob(filepath.Join(dir, "*.pkg.tar.gz"))
	if err != nil || len(built) != 3 {
		t.Fatalf("built %v, %v", built, err)
	}
	root := t.TempDir()
	database := filepath.Join(root, "var/lib/pacman")
	if err := os.MkdirAll(database, 0o700); err != nil {
		t.Fatal(err)
	}
	pacman := func(args ...string) string {
		return command(t, root, "pacman", append([]string{"--root", root, "--dbpath", database, "--noconfirm"}, args...)...)
	}
	pacman(append([]string{"-U"}, built...)...)
	compare(t, root, pacman("-Q"), 3)
	pacman("-R", "lib32-landed")
	compare(t, root, pacman("-Q"), 2)
}

// builder is a folder in which nobody may build: makepkg refuses root.
func builder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "makepkg") //nolint:usetesting // a test's own lets only its user in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, content := range map[string]string{"PKGBUILD": pkgbuild, "makepkg.conf": makepkgConf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, failed.String())
	}
	return string(out)
}

// compare reads every file below root and holds the packages against a list of
// names and versions.
func compare(t *testing.T, root, list string, count int) {
	t.Helper()
	s := newSet(t)
	var got []string
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		found := run(t, s, strings.TrimPrefix(file, root+"/"), string(content))
		if len(found.Notes) > 0 {
			t.Errorf("%s: notes %v", file, found.Notes)
		}
		for _, p := range found.Packages {
			if p.Type != "alpm" || p.Source.Name != "landed" || len(p.Licenses) != 2 || p.Vendor == "" || p.Arch == "" {
				t.Errorf("got %+v", p)
			}
			got = append(got, p.Name+" "+p.Version)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	want := strings.Split(strings.TrimSpace(list), "\n")
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || len(got) != count {
		t.Errorf("want %d packages; they differ (-pacman +got):\n%s", count, diff)
	}
}
