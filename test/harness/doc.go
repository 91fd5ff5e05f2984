// Package harness starts the real counterparts that end-to-end tests need on a
// Debian machine (registry, Redis, the project's own binaries, an image built
// with debootstrap) and waits for what should happen. Everything it starts ends
// with the test that started it. What is not installed skips the test with the
// package to install, except under LANDWAITER_E2E, where it fails it.
package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// EnvE2E is the environment variable that asks for end-to-end tests.
const EnvE2E = "LANDWAITER_E2E"

// EndToEnd skips the test unless end-to-end tests are asked for. It is the
// first line of a test that needs more than Go.
func EndToEnd(tb testing.TB) {
	tb.Helper()
	if os.Getenv(EnvE2E) == "" {
		tb.Skip("an end-to-end test: run it with `make e2e` or " + EnvE2E + "=1")
	}
}

// Binary is the path of one of the project's binaries: in the folder
// LANDWAITER_BIN, else in bin/ of the checkout. It fails the test when
// `make build` has not made it.
func Binary(tb testing.TB, name string) string {
	tb.Helper()
	dir := os.Getenv("LANDWAITER_BIN")
	if dir == "" {
		dir = filepath.Join(Top(tb), "bin")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("no binary %s, run `make build` first: %v", name, err)
	}
	return path
}

// Top is the folder of the checkout, the one with go.work.
func Top(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatalf("working folder: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Fatal("no go.work in any folder above the test")
		}
		dir = parent
	}
}

// installed is the path of a program, or the end of the test when the Debian
// package that brings it is missing.
func installed(tb testing.TB, program, pkg string) string {
	tb.Helper()
	for _, path := range []string{program, "/usr/sbin/" + program} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	missing(tb, program+" is not installed: apt-get install "+pkg)
	return ""
}

func missing(tb testing.TB, remedy string) {
	tb.Helper()
	if os.Getenv(EnvE2E) != "" {
		tb.Fatal(remedy)
	}
	tb.Skip(remedy)
}
