package layer_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

// TestReadArchivesOfTar reads what GNU tar writes in each of its formats: long
// names, sparse files, hard links, numbers too large for octal.
func TestReadArchivesOfTar(t *testing.T) {
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("tar is not installed")
	}
	dir := t.TempDir()
	deep := strings.Repeat("a-folder-with-a-long-name/", 8)
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("short/node_modules/a/package.json", `{"name":"a","version":"1.0.0"}`)
	write("sparse", "begin")
	write("z/node_modules/z/package.json", `{"name":"z","version":"1.0.0"}`) // behind the others
	if err := os.Truncate(filepath.Join(dir, "sparse"), 8<<20); err != nil { // a hole, to the end
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "short/node_modules/a/package.json"), filepath.Join(dir, "twin")); err != nil {
		t.Fatal(err)
	}
	for format, args := range map[string][]string{
		"v7": {"--format=v7"}, "oldgnu": {"--format=oldgnu"}, "gnu": {"--format=gnu"}, "gnu sparse": {"--format=gnu", "--sparse"},
		"ustar": {"--format=ustar"}, "pax": {"--format=pax"}, "pax sparse": {"--format=pax", "--sparse"},
		"pax sparse 0.0": {"--format=pax", "--sparse", "--sparse-version=0.0"}, "pax sparse 0.1": {"--format=pax", "--sparse", "--sparse-version=0.1"},
		"gnu, large owner": {"--format=gnu", "--owner=u:99999999", "--mtime=2300-01-01"},
		"pax, attributes":  {"--format=pax", "--pax-option=globexthdr.name=g,comment=x,SCHILY.xattr.user.a=b"},
	} {
		t.Run(format, func(t *testing.T) {
			want := []string{"a short/node_modules/a/package.json", "z z/node_modules/z/package.json"}
			if format != "v7" && format != "ustar" { // which have no room for it
				write(deep+deep+"node_modules/b/package.json", `{"name":"b","version":"1.0.0"}`)
				want = []string{want[0], "b " + deep + deep + "node_modules/b/package.json", want[1]}
			}
			cmd := exec.CommandContext(t.Context(), "tar", append(args, "--sort=name", "-cf", "-", "-C", dir, ".")...)
			plain, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(dir, "a-folder-with-a-long-name")); err != nil {
				t.Fatal(err)
			}
			got, err := newReader(t, nil).Read(t.Context(), layertest.Digest(plain), bytes.NewReader(plain))
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, p := range got.Packages {
				found = append(found, p.Name+" "+p.Location)
			}
			if diff := cmp.Diff(want, found); diff != "" || got.Partial || !got.Paths.Has("sparse") || len(got.Links) != 1 {
				t.Errorf("partial %t, links %v, packages differ (-want +got):\n%s", got.Partial, got.Links, diff)
			}
		})
	}
}
