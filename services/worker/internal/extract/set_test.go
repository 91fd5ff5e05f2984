package extract

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

func newSet(tb testing.TB) *Set {
	tb.Helper()
	s, err := New(Limits{Nested: 3, Opened: 1 << 20, Held: 1 << 20, Time: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func run(tb testing.TB, s *Set, name, content string) Found {
	tb.Helper()
	return s.Extract(tb.Context(), name, fileInfo{name: name, size: int64(len(content))}, []byte(content))
}

// names are the packages as name@version.
func names(f Found) []string {
	all := []string{}
	for _, p := range f.Packages {
		all = append(all, p.Name+"@"+p.Version)
	}
	return all
}

func TestKindOf(t *testing.T) {
	tests := map[string]Kind{
		"var/lib/dpkg/status": Dpkg, "var/lib/dpkg/status-old": None, "x/var/lib/dpkg/status": None,
		"var/lib/dpkg/status.d/base": Dpkg, "var/lib/dpkg/status.d/base.md5sums": DpkgList, "var/lib/dpkg/info/a:amd64.list": DpkgList,
		"usr/lib/sysimage/dpkg/status": Dpkg, "usr/lib/sysimage/dpkg/info/a.list": DpkgList,
		"var/lib/dpkg/info/a.md5sums": None, "lib/apk/db/installed": APK, "usr/lib/apk/db/installed": APK,
		"var/lib/rpm/Packages": RPM, "usr/lib/sysimage/rpm/rpmdb.sqlite": RPM, "usr/lib/sysimage/rpm/Packages.db": RPM,
		"var/lib/rpm/rpmdb.sqlite-wal": RPM, "var/lib/rpm/rpmdb.sqlite-shm": None, "var/lib/rpm/Name": None,
		"app/node_modules/a/package.json": NPM, "node_modules/@s/a/package.json": NPM, "app/package.json": None,
		"usr/share/nodejs/a/package.json": NPM, "opt/yarn-v1.22.19/package.json": NPM, "my_node_modules/package.json": None,
		"x/a-1.dist-info/METADATA": Python, "x/a.egg-info": Python, "x/a.egg-info/PKG-INFO": Python, "x/METADATA": None,
		"x/a.whl": Python, "x/a.egg/EGG-INFO/PKG-INFO": Python, "x/a.jar": Java, "x/a.WAR": Java, "x/a.zip": None,
	}
	for name, want := range tests {
		if got := KindOf(name, 0o644); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got := KindOf("bin/a", fs.FileMode(0o755)); got != Executable {
		t.Errorf("program: got %s", got)
	}
}

func TestBinary(t *testing.T) {
	for head, want := range map[string]bool{"\x7fELF": true, "MZ\x90\x00": true, "\xcf\xfa\xed\xfe": true, "#!/b": false, "": false, "\x00\x00\x00\x00": false} {
		if Binary([]byte(head)) != want {
			t.Errorf("%q: want %v", head, want)
		}
	}
}

func TestExtractAPK(t *testing.T) {
	const db = "C:Q1\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\n\n" +
		"P:py3-x\nV:1-r2\nA:noarch\no:py-x\nF:usr/lib/python3.12/site-packages/x-1.dist-info\nR:METADATA\nF:usr/share/doc\nR:x\n"
	got := run(t, newSet(t), "lib/apk/db/installed", db)
	want := Found{
		Packages: []inventory.Package{
			{
				Type: "apk", Name: "musl", Version: "1.2.5-r0", Arch: "x86_64", Licenses: []string{"MIT"},
				Source: verdict.Source{Name: "musl", Version: "1.2.5-r0"}, Evidence: inventory.Record, Location: "lib/apk/db/installed",
			},
			{
				Type: "apk", Name: "py3-x", Version: "1-r2", Arch: "noarch",
				Source: verdict.Source{Name: "py-x", Version: "1-r2"}, Evidence: inventory.Record, Location: "lib/apk/db/installed",
			},
		},
		Owners: []inventory.Owner{
			{Package: "musl", Location: "lib/apk/db/installed", Files: inventory.Hashes{inventory.Hash("lib/ld-musl-x86_64.so.1")}},
			{
				Package: "py3-x", Location: "lib/apk/db/installed",
				Files: inventory.Hashes{inventory.Hash("usr/lib/python3.12/site-packages/x-1.dist-info/METADATA")},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found differs (-want +got):\n%s", diff)
	}
	for name, tt := range map[string]struct {
		db, note string
		want     []string
	}{
		"long line":  {"P:a\nV:1\np:" + strings.Repeat("so:libx.so.1=1 ", 10_000) + "\n\nP:b\nV:2\n", "", []string{"a@1", "b@2"}},
		"blank ends": {"\n\nP:a\r\nV:1\r\n\r\n\n", "", []string{"a@1"}},
		"no version": {"P:a\n\nP:b\nV:2\n", verdict.NoteUnknownPackageVersion, []string{"b@2"}},
		"damaged":    {"P:a\nV:1\n\x00\x00\n\nP:b\nV:2\n", verdict.NoteFileUnreadable, []string{"a@1", "b@2"}},
	} {
		got := run(t, newSet(t), "lib/apk/db/installed", tt.db)
		if diff := cmp.Diff(tt.want, names(got)); diff != "" || (len(got.Notes) > 0) != (tt.note != "") || (tt.note != "" && got.Notes[0].Code != tt.note) {
			t.Errorf("%s: notes %v, packages differ (-want +got):\n%s", name, got.Notes, diff)
		}
	}
}

func TestExtractRPM(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/erikvarga/go-rpmdb").Output()
	if err != nil {
		t.Skipf("find module go-rpmdb: %v; run `go mod download github.com/erikvarga/go-rpmdb`", err)
	}
	db, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata", "centos8-modularitylabel", "Packages"))
	if err != nil {
		t.Skipf("no database; run `go mod download github.com/erikvarga/go-rpmdb`: %v", err)
	}
	got := run(t, newSet(t), "var/lib/rpm/Packages", string(db))
	found := map[string]inventory.Package{}
	for _, p := range got.Packages {
		found[p.Name] = p
	}
	if len(got.Notes) > 0 || len(found) < 500 || len(got.Owners) < 400 {
		t.Errorf("got %d packages, %d owners, notes %v", len(found), len(got.Owners), got.Notes)
	}
	if p := found["udica"]; p.Module == "" {
		t.Errorf("got %+v", p)
	}
	if p := found["openssl-libs"]; !strings.HasPrefix(p.Version, "1:1.1.1") || p.Source.Name != "openssl" || strings.Contains(p.Source.Version, ":") {
		t.Errorf("got %+v", p)
	}
	if _, ok := found["gpg-pubkey"]; ok {
		t.Error("keys count as packages")
	}
	if got := run(t, newSet(t), "var/lib/rpm/Packages", string(db[:len(db)/2])); len(got.Notes) != 1 {
		t.Errorf("half a database: notes %v", got.Notes)
	}
}

// jar packs files into an archive.
func jar(tb testing.TB, files ...string) string {
	tb.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := f.Write([]byte(files[i+1])); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

func pom(group, artifact, version string) (name, content string) {
	return "META-INF/maven/" + group + "/" + artifact + "/pom.properties",
		fmt.Sprintf("groupId=%s\nartifactId=%s\nversion=%s\n", group, artifact, version)
}

func TestExtractJava(t *testing.T) {
	name, content := pom("org.x", "inner", "2.0")
	inner := jar(t, name, content)
	name, content = pom("org.x", "outer", "1.0")
	unset, unsetContent := pom("org.x", "y", "${project.version}")
	own, ownContent := pom("com.me", "spring-core", "1.0")
	huge := strings.Repeat("x", zipRecord+1)
	tests := []struct {
		name, file, content string
		want                []string
		notes               []string
		partial             bool
	}{
		{"pom", "a/outer.jar", jar(t, name, content), []string{"org.x:outer@1.0"}, nil, false},
		{"by name", "a/guava-31.1.jar", jar(t, "META-INF/x", "y"), []string{"com.google.guava:guava@31.1"}, nil, false},
		{"version of no value", "a/x.jar", jar(t, unset, unsetContent), []string{}, []string{verdict.NoteUnknownPackageVersion}, false},
		{"well-known name", "a/spring-beans-5.3.17.jar", jar(t, "META-INF/x", "y"), []string{"org.springframework:spring-beans@5.3.17"}, nil, false},
		{
			"well-known family", "a/tomcat-embed-core-9.0.60.jar", jar(t, "META-INF/MANIFEST.MF", "Bundle-SymbolicName: org.apache.tomcat-embed-core\n\n"),
			[]string{"org.apache.tomcat.embed:tomcat-embed-core@9.0.60"},
			nil, false,
		},
		{
			"built by Ant", "a/ivy.jar", jar(t, "META-INF/MANIFEST.MF", "Implementation-Title: ivy\nImplementation-Version: 2.5.0\nImplementation-Vendor-Id: org.apache.ivy\n\n"),
			[]string{"org.apache.ivy:ivy@2.5.0"},
			nil, false,
		},
		{
			"bundle", "a/thing-1.0.jar", jar(t, "META-INF/MANIFEST.MF", "Bundle-SymbolicName: org.x.thing\nImplementation-Version: 1.0\nImplementation-Title: thing\n\n"),
			[]string{"org.x:thing@1.0"},
			nil, false,
		},
		{"own word against a well-known name", "a/spring-core-1.0.jar", jar(t, own, ownContent), []string{"com.me:spring-core@1.0"}, nil, false},
		{"nameless", "a/app.jar", jar(t, "META-INF/x", "y"), []string{}, nil, false},
		{
			"nested", "a/app.war", jar(t, name, content, "WEB-INF/lib/inner.jar", inner, "WEB-INF/lib/again.jar", inner),
			[]string{"org.x:outer@1.0", "org.x:inner@2.0"},
			nil, false,
		},
		{
			"broken nested", "a/app.war", jar(t, name, content, "WEB-INF/lib/inner.jar", inner[:60]),
			[]string{"org.x:outer@1.0"},
			[]string{verdict.NoteFileUnreadable},
			false,
		},
		{
			"too deep", "a.ear", jar(t, "b.war", jar(t, "c.jar", jar(t, name, content, "d.jar", inner))),
			[]string{"org.x:outer@1.0"},
			[]string{verdict.NoteLayerPartial},
			true,
		},
		{"nested bomb", "a.ear", jar(t, "b.jar", huge, "c.jar", inner), []string{"org.x:inner@2.0"}, []string{verdict.NoteLayerPartial}, true},
		{"manifest bomb", "a.jar", jar(t, "META-INF/MANIFEST.MF", huge), []string{}, []string{verdict.NoteLayerPartial}, true},
		{"rubbish", "a.jar", "rubbish", []string{}, []string{verdict.NoteFileUnreadable}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, newSet(t), tt.file, tt.content)
			if diff := cmp.Diff(tt.want, names(got)); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
			}
			var codes []string
			for _, note := range got.Notes {
				codes = append(codes, note.Code)
			}
			if diff := cmp.Diff(tt.notes, codes); diff != "" || got.Partial != tt.partial {
				t.Errorf("partial %v, notes %v differ (-want +got):\n%s", got.Partial, got.Notes, diff)
			}
			for _, p := range got.Packages {
				if p.Location != tt.file {
					t.Errorf("location %s", p.Location)
				}
			}
		})
	}
}

func TestExtractPython(t *testing.T) {
	const metadata = "Metadata-Version: 2.1\nName: Zope.Interface_x\nVersion: 5.0\n\n"
	s := newSet(t)
	for file, content := range map[string]string{
		"x/zope-5.dist-info/METADATA": metadata, "x/zope.egg-info": metadata,
		"x/zope.egg": jar(t, "EGG-INFO/PKG-INFO", metadata), "x/zope-5-py3.whl": jar(t, "zope-5.dist-info/METADATA", metadata),
	} {
		got := run(t, s, file, content)
		if diff := cmp.Diff([]string{"zope-interface-x@5.0"}, names(got)); diff != "" || len(got.Notes) > 0 {
			t.Errorf("%s: notes %v, packages differ (-want +got):\n%s", file, got.Notes, diff)
		}
	}
	if got := run(t, s, "x/a.egg-info", "Name: a\n"); len(got.Packages) > 0 || len(got.Notes) != 1 {
		t.Errorf("without a version: got %+v", got)
	}
}

func TestExtractDpkgUnreadable(t *testing.T) {
	const good = "Package: a\nStatus: install ok installed\nVersion: 1\n\n"
	got := run(t, newSet(t), "var/lib/dpkg/status", good+"rubbish\n\n")
	if diff := cmp.Diff([]string{"a@1"}, names(got)); diff != "" || len(got.Notes) != 1 {
		t.Errorf("notes %v, packages differ (-want +got):\n%s", got.Notes, diff)
	}
}

func TestExtractPackedProgram(t *testing.T) {
	s := newSet(t)
	for content, notes := range map[string]int{
		"\x7fELF" + strings.Repeat("\x00", 200) + "UPX!" + strings.Repeat("x", 5000): 1,
		"\x7fELF" + strings.Repeat("\x00", 200) + strings.Repeat("x", 5000) + "UPX!": 0,
	} {
		if got := run(t, s, "usr/bin/packed", content); len(got.Notes) != notes || len(got.Packages) != 0 {
			t.Errorf("want %d notes, got %+v", notes, got)
		}
	}
}

// TestExtractDpkgStates reads a package in every state that dpkg knows.
func TestExtractDpkgStates(t *testing.T) {
	var status strings.Builder
	for _, state := range []string{
		"not-installed", "config-files", "half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending", "installed",
	} {
		fmt.Fprintf(&status, "Package: %s\nStatus: install ok %s\nVersion: 1\n\n", state, state)
	}
	got := run(t, newSet(t), "var/lib/dpkg/status", status.String()+"Package: none\nVersion: 1\n\n")
	want := []string{"half-installed@1", "unpacked@1", "half-configured@1", "triggers-awaited@1", "triggers-pending@1", "installed@1"}
	if diff := cmp.Diff(want, names(got)); diff != "" || len(got.Notes) != 0 {
		t.Errorf("notes %v, packages differ (-want +got):\n%s", got.Notes, diff)
	}
}

func TestConvertGo(t *testing.T) {
	for _, tt := range []struct {
		name, version string
		is            bool
		notes         int
	}{
		{"example.com/dep", "1.2.3", true, 0},
		{"example.com/main", "(devel)", false, 0},
		{"command-line-arguments", "1", false, 0},
		{"example.com/dep", "", false, 1},
		{"./folder", "(devel)", false, 1},
		{"../folder", "", false, 1},
		{"/src/folder", "(devel)", false, 1},
	} {
		var found Found
		if is := convertGo(&inventory.Package{Name: tt.name, Version: tt.version}, &found); is != tt.is || len(found.Notes) != tt.notes {
			t.Errorf("%s %s: got %v, notes %v", tt.name, tt.version, is, found.Notes)
		}
	}
}

// TestVersion changes the set in every way a key of a stored inventory must
// tell, and in none.
func TestVersion(t *testing.T) {
	library := newSet(t).library
	base := version(library, readers(), "v1")
	if again := version(newSet(t).library, readers(), "v1"); again != base {
		t.Errorf("the same set has versions %s and %s", base, again)
	}
	fewer := maps.Clone(library)
	delete(fewer, Gem)
	changed, without := readers(), readers()
	changed[NPM]++
	delete(without, R)
	seen := map[string]string{base: "the whole"}
	for name, got := range map[string]string{
		"one of the library's less": version(fewer, readers(), "v1"), "a reader changed": version(library, changed, "v1"),
		"a reader less": version(library, without, "v1"), "other library": version(library, readers(), "v2"),
	} {
		if other, ok := seen[got]; ok {
			t.Errorf("%s: the version is that of %s", name, other)
		}
		seen[got] = name
	}
}

// FuzzExtract gives rubbish to every extractor.
func FuzzExtract(f *testing.F) {
	files := []string{
		"var/lib/dpkg/status", "var/lib/dpkg/info/a.list", "lib/apk/db/installed", "var/lib/rpm/Packages",
		"node_modules/a/package.json", "a.dist-info/METADATA", "a.whl", "a.jar", "bin/a",
		"specifications/a.gemspec", "a.deps.json", "composer/installed.json", "a/DESCRIPTION",
		"code-server/extensions/extensions.json", "conda-meta/a.json", "opt/bitnami/a/.spdx-a.spdx",
		"var/lib/pacman/local/a-1-1/desc", "var/db/pkg/c/a-1/PF",
	}
	name, content := pom("g", "a", "1")
	f.Add(7, []byte(jar(f, name, content, "b.jar", jar(f, name, content))))
	f.Add(0, []byte("Package: a\nStatus: install ok installed\nVersion: 1\n\n"))
	f.Add(2, []byte("P:a\nV:1\nF:usr/bin\nR:a\n\n"))
	f.Add(8, []byte(program(f, ".dep-v0", packed(f, crates))))
	f.Add(8, []byte(bundle(6, depsJSON)))
	f.Add(10, []byte(depsJSON))
	f.Add(11, []byte(`{"packages":[{"name":"a","version":"1"},null]}`))
	f.Add(12, []byte("Package: a\nVersion: 1\nBuilt: R 4\n"))
	f.Add(14, []byte(`{"name":"a","version":"1"}`))
	f.Add(15, []byte(`{"packages":[{"externalRefs":[{"referenceLocator":"pkg:bitnami/a@1-2"}]}]}`))
	f.Add(16, []byte("%NAME%\na\n\n%VERSION%\n1-1\n"))
	f.Add(17, []byte("a-1_p2-r3\n"))
	s := newSet(f)
	f.Fuzz(func(t *testing.T, file int, content []byte) {
		if file < 0 || file >= len(files) {
			return
		}
		for _, p := range run(t, s, files[file], string(content)).Packages {
			if p.Name == "" || p.Version == "" || p.Location != files[file] {
				t.Errorf("got %+v", p)
			}
		}
	})
}
