// Package test holds the workspace to its own rules: who may import whom, what
// each service may link, how big a file may be, and that the documents tell of
// things that exist.
package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// prefix begins every import path of the workspace.
const prefix = "github.com/landwaiter/landwaiter/"

// listed is a package as go list tells of it, without its tests.
type listed struct {
	ImportPath string
	Dir        string
	Doc        string // the first sentence of the package comment
	Standard   bool
	GoFiles    []string
	Imports    []string
	Deps       []string // everything that is linked with it
}

// short is the path below the workspace, such as services/worker/internal/plan.
func (p listed) short() string { return strings.TrimPrefix(p.ImportPath, prefix) }

// packages are all packages of the workspace by import path. Asking go takes a
// second, so the tests share one answer.
var packages = sync.OnceValues(func() (map[string]listed, error) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Standard,GoFiles,Imports,Deps", "work").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return nil, errors.New(string(exit.Stderr))
		}
		return nil, err
	}
	all := map[string]listed{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[p.ImportPath] = p
	}
})

func list(t *testing.T) map[string]listed {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

func top(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatalf("folder of the workspace: %v", err)
	}
	return dir
}

func goOutput(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = top(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %v: %v", args, err)
	}
	return out
}
