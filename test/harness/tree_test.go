package harness

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A layer has what is new or changed, marks for what is gone, and nothing else.
func TestDifference(t *testing.T) {
	root := t.TempDir()
	shell := func(script string) {
		t.Helper()
		if r := Run(t.Context(), t, Command{Path: "/bin/sh", Args: []string{"-euc", script}, Dir: root}); r.Code != 0 {
			t.Fatal(r.Stderr)
		}
	}
	shell(`mkdir -p keep gone/deep emptied turned replaced
touch keep/a keep/b keep/c gone/deep/x emptied/1 emptied/2 turned/y replaced/z`)
	before, err := look(root)
	if err != nil {
		t.Fatal(err)
	}
	shell(`rm keep/b && echo new >keep/c
rm -r gone emptied turned replaced
mkdir emptied && touch emptied/3
ln -s keep turned
touch replaced`)
	after, err := look(root)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "layer.tar.gz")
	if err := difference(root, file, before, after); err != nil {
		t.Fatal(err)
	}
	want := []string{".wh.gone", "emptied/", "emptied/.wh..wh..opq", "emptied/3", "keep/", "keep/.wh.b", "keep/c", "replaced", "turned"}
	if diff := cmp.Diff(want, entries(t, file)); diff != "" {
		t.Errorf("entries of the layer (-want +got):\n%s", diff)
	}
}

func entries(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(names)
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
}
