package test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxLines is where a file surely holds more than one idea.
const maxLines = 500

func TestFilesAreShort(t *testing.T) {
	walk(t, ".go", func(path string, content []byte) {
		if lines := bytes.Count(content, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines, more than %d", path, lines, maxLines)
		}
	})
}

func TestPackagesHaveComments(t *testing.T) {
	for _, p := range list(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.short())
		}
	}
}

// A module with a newer go line than the workspace breaks every command, and
// one with an older line is built differently alone.
func TestGoLinesAreEqual(t *testing.T) {
	var work struct {
		Go  string
		Use []struct{ DiskPath string }
	}
	decode(t, goOutput(t, "work", "edit", "-json"), &work)
	for _, use := range work.Use {
		var module struct{ Go string }
		decode(t, goOutput(t, "mod", "edit", "-json", filepath.Join(use.DiskPath, "go.mod")), &module)
		if module.Go != work.Go {
			t.Errorf("%s says go %s, go.work says go %s", use.DiskPath, module.Go, work.Go)
		}
	}
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("answer of go: %v", err)
	}
}

// walk visits all files of the workspace with one ending; paths are relative
// to its top. What git ignores or begins with a dot is left out.
func walk(t *testing.T, ending string, visit func(path string, content []byte)) {
	t.Helper()
	root := top(t)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ending) {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		visit(relative, content)
		return nil
	})
	if err != nil {
		t.Fatalf("walk the workspace: %v", err)
	}
}
