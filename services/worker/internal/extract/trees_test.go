package extract

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

func TestKindOfTrees(t *testing.T) {
	tests := map[string]Kind{
		"usr/lib/ruby/gems/3.1.0/specifications/rack-2.2.6.gemspec":         Gem,
		"usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec": Gem,
		"usr/lib/ruby/gems/3.1.0/gems/rack-2.2.6/rack.gemspec":              None,
		"app/app.gemspec":   None,
		"app/app.deps.json": DotNet, "usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/Microsoft.NETCore.App.deps.json": DotNet,
		"app/deps.json": None, "app/vendor/composer/installed.json": Composer, "app/vendor/installed.json": None, "app/composer.lock": None,
		"usr/lib/R/site-library/jsonlite/DESCRIPTION": R, "usr/lib/R/site-library/jsonlite/description": None,
		"root/.vscode-server/extensions/extensions.json": VSCode, "app/.vscode/extensions.json": None, "app/extensions/extensions.json": None,
		"opt/conda/conda-meta/openssl-3.1.0-0.json": Conda, "opt/conda/envs/a/conda-meta/x.json": Conda, "conda-meta/history": None,
		"opt/bitnami/nginx/.spdx-nginx.spdx": Bitnami, "opt/bitnami/nginx/nginx.spdx": None, "srv/.spdx-nginx.spdx": None,
		"Files/Program Files/app/app.EXE": Executable, "Files/Windows/System32/kernel32.dll": None,
	}
	for name, want := range tests {
		if got := KindOf(name, 0); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	// The files of a distribution's packages must be found to be theirs.
	for name, want := range tests {
		if want != None && want != Executable && !ownable(name) {
			t.Errorf("%s is left out of lists of owned files", name)
		}
	}
}

// depsJSON is what publishing a self-contained program writes.
const depsJSON = `{
  "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64"},
  "targets": {".NETCoreApp,Version=v8.0/linux-x64": {}},
  "libraries": {
    "Shop/1.0.0": {"type": "project", "serviceable": false, "sha512": ""},
    "Local/2.0.0.0": {"type": "reference", "serviceable": false, "sha512": ""},
    "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"type": "runtimepack", "serviceable": false, "sha512": ""},
    "Newtonsoft.Json/12.0.3": {"type": "package", "serviceable": true, "sha512": "sha512-6m", "path": "newtonsoft.json/12.0.3"}
  }
}`

func TestExtractTrees(t *testing.T) {
	const gem = `# stub: rack 2.2.6 ruby lib

Gem::Specification.new do |s|
  s.name = "rack".freeze
  s.version = "2.2.6"
  s.files = ["lib/rack.rb".freeze]
end
`
	const description = "Package: jsonlite\nVersion: 1.8.4\nLicense: MIT + file LICENSE\nAuthors@R: c(\n    person(\"A: b\"))\n" +
		"Repository: CRAN\nBuilt: R 4.2.2; ; 2022-12-09; unix\n"
	tests := []struct {
		name, file, content string
		want                []string // type, name@version
		note                string
	}{
		{"gem", "a/specifications/rack-2.2.6.gemspec", gem, []string{"gem rack@2.2.6"}, ""},
		{"gem of a platform", "a/specifications/x-1-x86_64-linux.gemspec", "Gem::Specification.new do |s|\n  s.name = \"x\"\n  s.version = \"1\"\n  s.platform = \"x86_64-linux\"\nend\n", []string{"gem x@1"}, ""},
		{"gem of many files", "a/specifications/rack-2.2.6.gemspec", strings.Replace(gem, "  s.name", "  s.files = ["+strings.Repeat(`"lib/x.rb".freeze, `, 5000)+"]\n  s.name", 1), []string{"gem rack@2.2.6"}, ""},
		{"egg with an image", "a/x.egg-info/PKG-INFO", "Metadata-Version: 1.1\nName: x\nDescription: x\n        ![](data:" + strings.Repeat("A", 70_000) + ")\nVersion: 1.0\n", []string{"pypi x@1.0"}, ""},
		{"rpm, no log", "var/lib/rpm/rpmdb.sqlite-wal", "", nil, ""},
		{"gem without a version", "a/specifications/x.gemspec", "Gem::Specification.new do |s|\n  s.name = \"x\"\nend\n", nil, verdict.NoteFileUnreadable},
		{
			".NET", "app/shop.deps.json", depsJSON,
			[]string{"nuget Microsoft.NETCore.App.Runtime.linux-x64@8.0.1", "nuget Newtonsoft.Json@12.0.3"},
			"",
		},
		{".NET, nothing", "app/x.deps.json", `{"libraries":{}}`, nil, ""},
		{"not of .NET", "app/editor.deps.json", `["wp-blocks"]`, nil, ""},
		{
			"Composer", "app/vendor/composer/installed.json",
			`{"packages":[{"name":"symfony/console","version":"v5.4.2","license":["MIT"],"type":7},{"name":"x/y","version":"dev-main"}],"dev":false,"dev-package-names":[]}`,
			[]string{"composer symfony/console@v5.4.2", "composer x/y@dev-main"},
			"",
		},
		{"Composer 1", "vendor/composer/installed.json", ` [{"name":"a/b","version":"1.0.0"}]`, []string{"composer a/b@1.0.0"}, ""},
		{"Composer, no version", "vendor/composer/installed.json", `{"packages":[{"name":"a/b"},{"name":"c/d","version":"2"}]}`, []string{"composer c/d@2"}, verdict.NoteUnknownPackageVersion},
		{"Composer, rubbish", "vendor/composer/installed.json", `{"packages":7}`, nil, verdict.NoteFileUnreadable},
		{"R", "usr/lib/R/site-library/jsonlite/DESCRIPTION", description, []string{"cran jsonlite@1.8.4"}, ""},
		{"R, source", "src/jsonlite/DESCRIPTION", strings.Replace(description, "Built", "Packaged", 1), nil, ""},
		{"R, other folder", "src/other/DESCRIPTION", description, nil, ""},
		{"R itself", "usr/lib/R/library/stats/DESCRIPTION", "Package: stats\nVersion: 4.2.2\nPriority: base\nBuilt: R 4.2.2\n", nil, ""},
		{"Bioconductor", "r/limma/DESCRIPTION", "Package: limma\nVersion: 3.58.1\nbiocViews: Genetics\nBuilt: R 4.3.2\n", []string{"bioconductor limma@3.58.1"}, ""},
		{"no R at all", "git/DESCRIPTION", "Unnamed repository; edit this file\n", nil, ""},
		{
			"extensions", "root/.vscode-server/extensions/extensions.json",
			`[{"identifier":{"id":"ms-python.python"},"version":"2024.1.0","location":{"path":"/root/x"},"metadata":{}}]`,
			[]string{"vscode-extension ms-python.python@2024.1.0"},
			"",
		},
		{"conda", "opt/conda/conda-meta/openssl-3.1.0-0.json", `{"name":"openssl","version":"3.1.0","build_number":0,"license":"Apache-2.0"}`, []string{"conda openssl@3.1.0"}, ""},
		{"conda, no version", "opt/conda/conda-meta/x.json", `{"name":"openssl"}`, nil, verdict.NoteUnknownPackageVersion},
		{
			"Bitnami", "opt/bitnami/nginx/.spdx-nginx.spdx",
			`{"spdxVersion":"SPDX-2.3","packages":[
			  {"name":"nginx","versionInfo":"1.25.3-2","licenseDeclared":"BSD-2-Clause","externalRefs":[
			    {"referenceCategory":"SECURITY","referenceType":"cpe23Type","referenceLocator":"cpe:2.3:*:nginx:nginx:1.25.3:*:*:*:*:*:*:*"},
			    {"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:bitnami/nginx@1.25.3-2?arch=amd64&distro=debian-12"}]}]}`,
			[]string{"bitnami nginx@1.25.3"},
			"",
		},
	}
	s := newSet(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, s, tt.file, tt.content)
			found := map[string]bool{}
			for _, p := range got.Packages {
				found[p.Type+" "+p.Name+"@"+p.Version] = true
				if p.Evidence != inventory.Record || p.Location != tt.file {
					t.Errorf("got evidence %s, location %s", p.Evidence, p.Location)
				}
			}
			want := map[string]bool{}
			for _, p := range tt.want {
				want[p] = true
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
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

// TestRPMLog has changes that only SQLite's log of them holds.
func TestRPMLog(t *testing.T) {
	got := run(t, newSet(t), "var/lib/rpm/rpmdb.sqlite-wal", "7\x7f\x06\x82")
	if len(got.Packages) > 0 || len(got.Notes) != 1 || !strings.Contains(got.Notes[0].Message, "4 bytes of changes") {
		t.Errorf("got %+v", got)
	}
}

// bundle is a program with a .NET application of one file behind it.
func bundle(major uint32, deps string) string {
	front := "\x7fELF" + strings.Repeat("x", 100)
	header := binary.LittleEndian.AppendUint32(nil, major)
	header = binary.LittleEndian.AppendUint32(header, 0)
	header = binary.LittleEndian.AppendUint32(header, 1)
	header = append(header, "\x0cabcdefghijkl"...)
	start := uint64(len(front) + 8 + len(bundleMark))
	header = binary.LittleEndian.AppendUint64(header, start)
	header = binary.LittleEndian.AppendUint64(header, uint64(len(deps)))
	offset := binary.LittleEndian.AppendUint64(nil, start+uint64(len(deps)))
	return front + string(offset) + bundleMark + deps + string(header)
}

func TestExtractBundle(t *testing.T) {
	s := newSet(t)
	whole := bundle(6, depsJSON)
	got := run(t, s, "app/shop.exe", whole)
	if len(got.Packages) != 2 || got.Packages[0].Evidence != inventory.File || len(got.Notes) > 0 {
		t.Errorf("got %+v", got)
	}
	for name, content := range map[string]string{
		"too old": bundle(1, depsJSON), "cut": whole[:len(whole)-4], "mark at the start": bundleMark, "no bundle": strings.Repeat("\x00", 8) + bundleMark,
		"header outside": strings.Repeat("\xff", 8) + bundleMark,
	} {
		if got := run(t, s, "app/shop.exe", content); len(got.Packages)+len(got.Notes) > 0 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
