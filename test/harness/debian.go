package harness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// EnvCache is the environment variable that names the folder in which root file
// systems are kept from one run to the next; the user's cache folder without it.
const EnvCache = "LANDWAITER_E2E_CACHE"

// debootstrapLimit allows for a slow mirror; it takes about a minute.
const debootstrapLimit = 10 * time.Minute

// Rootfs is a Debian root file system that dpkg really installed.
type Rootfs struct {
	Dir   string // the unpacked tree
	Layer string // the same as a gzip'ed tar file
}

// Debian is bookworm's minimal variant with more packages, made by debootstrap
// from the main archive alone: without the security archive its libraries have
// known vulnerabilities. It is made once and then taken from the cache.
func Debian(tb testing.TB, packages ...string) Rootfs {
	tb.Helper()
	debootstrap := installed(tb, "debootstrap", "debootstrap")
	if os.Geteuid() != 0 {
		missing(tb, "debootstrap needs root")
	}
	packages = slices.Sorted(slices.Values(packages))
	sum := sha256.Sum256([]byte(strings.Join(packages, " ")))
	dir := filepath.Join(cache(tb), "bookworm-"+hex.EncodeToString(sum[:6]))
	unlock := lock(tb, dir+".lock")
	defer unlock()

	ready := Rootfs{Dir: filepath.Join(dir, "root"), Layer: filepath.Join(dir, "layer.tar.gz")}
	if _, err := os.Stat(dir); err == nil {
		return ready
	}
	// Under another name until it is whole.
	making := dir + ".making"
	if err := os.RemoveAll(making); err != nil {
		tb.Fatalf("remove what an earlier run left: %v", err)
	}
	root := filepath.Join(making, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		tb.Fatalf("make root file system: %v", err)
	}
	bootstrap(tb, debootstrap, root, packages)
	if err := archive(root, filepath.Join(making, "layer.tar.gz")); err != nil {
		tb.Fatalf("pack root file system: %v", err)
	}
	if err := os.Rename(making, dir); err != nil {
		tb.Fatalf("keep root file system: %v", err)
	}
	return ready
}

func bootstrap(tb testing.TB, debootstrap, root string, packages []string) {
	tb.Helper()
	args := []string{"--variant=minbase"}
	if len(packages) > 0 {
		args = append(args, "--include="+strings.Join(packages, ","))
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(tb.Context(), debootstrapLimit)
	defer cancel()
	result := Run(ctx, tb, Command{Path: debootstrap, Args: append(args, "bookworm", root)})
	if result.Code != 0 {
		tb.Fatalf("debootstrap: exit code %d\n%s\n%s", result.Code, tail(result.Stdout, 20), tail(result.Stderr, 20))
	}
	tb.Logf("debootstrap took %v", time.Since(begun).Round(time.Second))
	// What was downloaded is no part of an image.
	for _, pattern := range []string{"var/cache/apt/archives/*.deb", "var/cache/apt/*.bin", "var/lib/apt/lists/*_*"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			tb.Fatalf("list %s: %v", pattern, err)
		}
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				tb.Fatalf("remove download: %v", err)
			}
		}
	}
}

// DebianPackage is one installed package, as dpkg tells it.
type DebianPackage struct {
	Name, Version         string
	Source, SourceVersion string
}

// Packages asks dpkg what is installed.
func (r Rootfs) Packages(tb testing.TB) []DebianPackage {
	tb.Helper()
	result := Run(tb.Context(), tb, Command{
		Path: installed(tb, "dpkg-query", "dpkg"),
		Args: []string{
			"--admindir=" + filepath.Join(r.Dir, "var/lib/dpkg"), "--show",
			`--showformat=${db:Status-Status}\t${Package}\t${Version}\t${source:Package}\t${source:Version}\n`,
		},
	})
	if result.Code != 0 {
		tb.Fatalf("dpkg-query: exit code %d: %s", result.Code, result.Stderr)
	}
	var packages []DebianPackage
	for line := range strings.Lines(result.Stdout) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			tb.Fatalf("dpkg-query: %q has not five columns", line)
		}
		if f[0] == "installed" {
			packages = append(packages, DebianPackage{Name: f[1], Version: f[2], Source: f[3], SourceVersion: f[4]})
		}
	}
	return packages
}

func cache(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv(EnvCache)
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return tb.TempDir()
		}
		dir = filepath.Join(user, "landwaiter-e2e")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatalf("cache folder: %v", err)
	}
	return dir
}

// lock keeps test binaries that run at the same time from making the same thing.
func lock(tb testing.TB, file string) (unlock func()) {
	tb.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		tb.Fatalf("lock: %v", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		tb.Fatalf("lock %s: %v", file, err)
	}
	return func() {
		if err := f.Close(); err != nil { // which unlocks
			tb.Error(fmt.Errorf("unlock %s: %w", file, err))
		}
	}
}
