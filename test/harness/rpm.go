package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rpmDatabase is where Fedora and its kin keep the database today.
const rpmDatabase = "/usr/lib/sysimage/rpm"

// rpmSpec is the source of a package, and of a subpackage where there is a name
// for it, which rpm can build without a compiler.
func rpmSpec(name, version, release, more, sub string) string {
	spec := fmt.Sprintf(`Name: %s
Version: %s
Release: %s
%s
Summary: a package
License: MIT
Vendor: Fedora Project
%%description
A package.
%%install
mkdir -p %%{buildroot}/usr/share/%%{name}-%%{version} && date >%%{buildroot}/usr/share/%%{name}-%%{version}/made
%%files
/usr/share/%%{name}-%%{version}/made
`, name, version, release, more)
	if sub != "" {
		spec += fmt.Sprintf("%%package %[1]s\nVersion: 9.9\nEpoch: 1\nSummary: a part\n%%description %[1]s\nA part.\n%%files %[1]s\n", sub)
	}
	return spec
}

// RPM is an image into which rpm has installed packages, which it built itself,
// in one layer, and in another one removed and upgraded some: with epochs, of a
// module, with subpackages, with a tilde and a caret in the version, and one in
// two versions at the same time. The database is SQLite: Debian's rpm writes no
// other.
func RPM(tb testing.TB) *RPMImage {
	tb.Helper()
	r := &RPMImage{work: tb.TempDir(), Layered: Layered{Dir: tb.TempDir()}}
	const module = "ModularityLabel: quay:2:8030020200818000036:9edba152"
	r.install(tb, "first", "--install", // which leaves the other version of a package alone
		rpmSpec("harbour", "1.2.3", "4.fc40", "Epoch: 2", "libs"),
		rpmSpec("quay", "2.0~rc1", "0.1.module+el8+7", module, ""),
		rpmSpec("pier", "3.1^git20260101", "1", "BuildArch: noarch", "docs"),
		rpmSpec("kernel-core", "6.1.1", "100.fc40", "", ""),
		rpmSpec("kernel-core", "6.1.2", "100.fc40", "", ""))
	release := filepath.Join(r.Dir, "usr/lib/os-release")
	if err := os.WriteFile(release, []byte("ID=fedora\nVERSION_ID=40\n"), 0o600); err != nil {
		tb.Fatalf("write os-release: %v", err)
	}
	before := r.pack(tb, "first", tree{})
	r.run(tb, "rpm", r.args("--erase", "harbour-libs")...)
	r.install(tb, "second", "--upgrade", rpmSpec("quay", "2.0", "1.module+el8+9", module, ""))
	r.pack(tb, "second", before)
	return r
}

// RPMImage is an image of rpm's.
type RPMImage struct {
	Layered

	work string
}

// install builds packages and installs them, or upgrades to them.
func (r *RPMImage) install(tb testing.TB, name, how string, specs ...string) {
	tb.Helper()
	top := filepath.Join(r.work, name)
	if err := os.Mkdir(top, 0o700); err != nil {
		tb.Fatalf("folder of packages: %v", err)
	}
	for i, text := range specs {
		file := filepath.Join(top, fmt.Sprintf("%d.spec", i))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			tb.Fatalf("write spec: %v", err)
		}
		r.run(tb, "rpmbuild", "-bb", "--quiet", "--define", "_topdir "+top, file)
	}
	packages, err := filepath.Glob(filepath.Join(top, "RPMS", "*", "*.rpm"))
	if err != nil || len(packages) == 0 {
		tb.Fatalf("rpmbuild made no packages: %v", err)
	}
	// What runs on this machine is not in the root.
	r.run(tb, "rpm", r.args(append([]string{how, "--nodeps", "--ignorearch"}, packages...)...)...)
}

func (r *RPMImage) pack(tb testing.TB, name string, before tree) tree {
	tb.Helper()
	after, err := look(r.Dir)
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(r.work, name+".tar.gz")
	if err := difference(r.Dir, file, before, after); err != nil {
		tb.Fatalf("pack layer %s: %v", name, err)
	}
	r.Layers = append(r.Layers, LayerFile{file, "RUN rpm " + name})
	return after
}

// args are those of rpm for its database in the root.
func (r *RPMImage) args(more ...string) []string {
	return append([]string{"--root", r.Dir, "--define", "_dbpath " + rpmDatabase}, more...)
}

func (r *RPMImage) run(tb testing.TB, program string, args ...string) string {
	tb.Helper()
	result := Run(tb.Context(), tb, Command{Path: installed(tb, program, "rpm"), Args: args, Dir: r.work, Env: []string{"HOME=" + r.work}})
	if result.Code != 0 {
		tb.Fatalf("%s %v: exit code %d\n%s", program, args, result.Code, tail(result.Stderr, 20))
	}
	return result.Stdout
}

// Packages asks rpm what is installed: lines of name, version with epoch and
// release, and the name and version of the source, separated by tabs.
func (r *RPMImage) Packages(tb testing.TB) []string {
	tb.Helper()
	const format = `%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{SOURCERPM}\n`
	var list []string
	for line := range strings.Lines(r.run(tb, "rpm", r.args("--query", "--all", "--queryformat", format)...)) {
		at := strings.LastIndex(line, "\t")
		// NAME-VERSION-RELEASE.src.rpm: neither version nor release has a dash.
		source := strings.Split(strings.TrimSuffix(strings.TrimSpace(line[at+1:]), ".src.rpm"), "-")
		n := len(source)
		list = append(list, line[:at]+"\t"+strings.Join(source[:n-2], "-")+"\t"+strings.Join(source[n-2:], "-"))
	}
	return list
}
