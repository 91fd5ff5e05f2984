package e2e

import (
	_ "embed"
	"encoding/json"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/landwaiter/landwaiter/test/harness"
)

// What a scan finds in an image is what the tools of each package manager find
// in the tree that the image's layers make: no package more, none less, each
// once at its place.
func TestInventoryEqualsTruth(t *testing.T) {
	harness.EndToEnd(t)
	t.Run("rich", func(t *testing.T) {
		rich := harness.Rich(t)
		got := scanLocal(t, rich.Image(t))
		// The manifest that is not JSON, and nothing else.
		if n := got.Completeness.Notes; len(n) != 1 || !strings.Contains(n[0].Message, "node_modules/debug/package.json") {
			t.Errorf("what the scan did not see: %+v", n)
		}
		samePackages(t, got.report, rich.Rootfs().Packages(t))
		sameLayers(t, got.report, harness.Debian(t).Packages(t), rich)
		truth := goTruth(t, rich.Dir)
		for _, program := range [][]string{
			{"/usr/bin/python3", "-c", pythonTruth},
			{"/usr/bin/ruby", "-e", rubyTruth},
			{"/usr/bin/php", "-r", phpTruth},
			{"/usr/bin/Rscript", "--vanilla", "-e", rTruth},
		} {
			truth = append(truth, lines(harness.Inside(t.Context(), t, rich.Dir, program...))...)
		}
		sameLanguages(t, got, truth)
	})
	t.Run("rpm", func(t *testing.T) {
		rpm := harness.RPM(t)
		got := scanLocal(t, rpm.Image(t))
		same(t, got.of("rpm"), rpm.Packages(t))
	})
	t.Run("apk", func(t *testing.T) {
		database, image := apkImage(t)
		same(t, scanLocal(t, image).of("apk"), apkTruth(t, database))
	})
}

// sameLayers checks which layer each package of the base is said to come from:
// the lowest, or the last one where it was upgraded.
func sameLayers(t *testing.T, r report, base []harness.DebianPackage, rich harness.Layered) {
	t.Helper()
	versions := map[string]string{}
	for _, p := range base {
		versions[p.Name] = p.Version
	}
	upgraded := 0
	for _, p := range r.Packages {
		before, inBase := versions[p.Name]
		if !inBase || !strings.HasPrefix(p.PURL, "pkg:deb/") {
			continue
		}
		want := rich.Layers[0]
		if p.Version != before {
			want = rich.Layers[len(rich.Layers)-1]
			upgraded++
		}
		if p.Layer.CreatedBy != want.CreatedBy {
			t.Errorf("%s %s comes from layer %+v, not from %q", p.Name, p.Version, p.Layer, want.CreatedBy)
		}
	}
	if upgraded == 0 {
		t.Error("no package was upgraded: the test proves nothing")
	}
}

// scanned is what `landwaiter scan --local -o json` prints.
type scanned struct {
	report

	Packages []struct {
		Name, Version, PURL, Location string
		Source                        struct{ Name, Version string }
	}
}

// of lists the packages of a purl type.
func (s scanned) of(kind string) []string {
	var list []string
	for _, p := range s.Packages {
		if !strings.HasPrefix(p.PURL, "pkg:"+kind+"/") {
			continue
		}
		switch kind {
		case "rpm", "apk":
			list = append(list, strings.Join([]string{p.Name, p.Version, p.Source.Name, p.Source.Version}, "\t"))
		default:
			list = append(list, strings.Join([]string{kind, p.Name, strings.TrimPrefix(p.Version, "v"), p.Location}, "\t"))
		}
	}
	return list
}

func scanLocal(t *testing.T, image v1.Image) scanned {
	t.Helper()
	dir := t.TempDir()
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendImage(image); err != nil {
		t.Fatal(err)
	}
	result := harness.Run(t.Context(), t, harness.Command{
		Path: harness.Binary(t, "landwaiter"),
		Args: []string{"scan", "--local", "-o", "json", "--data", t.TempDir(), "--advisories", advisoriesDir(t), "oci:" + dir},
	})
	if result.Code != 0 {
		t.Fatalf("scan: exit code %d: %s", result.Code, result.Stderr)
	}
	var s scanned
	if err := json.Unmarshal([]byte(result.Stdout), &s); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(result.Stdout), &s.report); err != nil {
		t.Fatal(err)
	}
	return s
}

func sameLanguages(t *testing.T, got scanned, truth []string) {
	t.Helper()
	for _, kind := range []string{"npm", "pypi", "maven", "gem", "golang", "composer", "cran"} {
		t.Run(kind, func(t *testing.T) {
			var want []string
			for _, line := range truth {
				if strings.HasPrefix(line, kind+"\t") {
					want = append(want, line)
				}
			}
			list := got.of(kind)
			if kind == "maven" {
				list = ungrouped(list, want)
			}
			same(t, list, want)
		})
	}
}

// ungrouped leaves out the groups of those artifacts that the truth has no group
// of: an archive without coordinates does not say it.
func ungrouped(list, truth []string) []string {
	var all []string
	for _, line := range list {
		if kind, rest, _ := strings.Cut(line, "\t"); !slices.Contains(truth, line) {
			_, artifact, _ := strings.Cut(rest, ":")
			line = kind + "\t" + artifact
		}
		all = append(all, line)
	}
	return all
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Error("nothing is there: the test proves nothing")
	}
	t.Logf("%d packages", len(want))
	difference(t, "package", set(t, got), set(t, want))
}

// set fails the test when something is in the list twice.
func set(t *testing.T, list []string) map[string]bool {
	t.Helper()
	s := map[string]bool{}
	for _, line := range list {
		if s[line] {
			t.Errorf("twice: %s", line)
		}
		s[line] = true
	}
	return s
}

func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

// The programs that tell the truth write lines of type, name, version and
// location, each in the language whose packages it lists.
var (
	//go:embed testdata/truth.py
	pythonTruth string
	//go:embed testdata/truth.rb
	rubyTruth string
	//go:embed testdata/truth.php
	phpTruth string
	//go:embed testdata/truth.r
	rTruth string
)

var goLine = regexp.MustCompile(`^(?:(\S.*): go(\S+).*|\t(path|mod|dep|=>|build)\t(\S+)(?:\t(\S+))?.*)$`)

// goTruth is what the go command says of the programs below a folder: the
// modules with a version that are linked, a replaced one by what replaces it.
func goTruth(t *testing.T, root string) []string {
	t.Helper()
	result := harness.Run(t.Context(), t, harness.Command{Path: "go", Args: []string{"version", "-m", root}})
	if result.Code != 0 {
		t.Fatalf("go version: %s", result.Stderr)
	}
	var list []string
	var file string
	for _, line := range lines(result.Stdout) {
		m := goLine.FindStringSubmatch(line)
		switch {
		case m == nil:
			t.Fatalf("go version said %q", line)
		case m[1] != "":
			if file = ""; regular(t, m[1]) {
				file = strings.TrimPrefix(strings.TrimPrefix(m[1], root), "/")
				list = append(list, strings.Join([]string{"golang", "stdlib", m[2], file}, "\t"))
			}
		case file == "" || m[3] == "path" || m[3] == "build":
		case m[3] == "=>":
			list = append(list[:len(list)-1], goModule(m[4], m[5], file)...)
		default:
			list = append(list, goModule(m[4], m[5], file)...)
		}
	}
	return list
}

// goModule is nothing for a module without a version: no advisory can name it.
func goModule(name, version, file string) []string {
	if version == "" || version == "(devel)" {
		return nil
	}
	return []string{strings.Join([]string{"golang", name, strings.TrimPrefix(version, "v"), file}, "\t")}
}

func regular(t *testing.T, file string) bool {
	t.Helper()
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()&fs.ModeType == 0
}
