package rpmdb_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	upstream "github.com/erikvarga/go-rpmdb/pkg"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/landwaiter/landwaiter/services/worker/internal/extract/rpmdb"
)

// databases finds the real databases that come with the go-rpmdb module.
func databases(tb testing.TB) []string {
	tb.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/erikvarga/go-rpmdb").Output()
	if err != nil {
		tb.Skipf("find module go-rpmdb: %v; run `go mod download github.com/erikvarga/go-rpmdb`", err)
	}
	var files []string
	for _, name := range []string{"Packages", "Packages.db", "rpmdb.sqlite"} {
		found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata", "*", name))
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// TestReadAgainstUpstream compares with another reader on real databases of
// CentOS 5 to Fedora 35 and SLE 15.
func TestReadAgainstUpstream(t *testing.T) {
	files := databases(t)
	if len(files) == 0 {
		t.Skip("no databases; run `go mod download github.com/erikvarga/go-rpmdb`")
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rpmdb.Read(t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			want := readUpstream(t, file)
			order := func(a, b rpmdb.Package) int {
				return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version),
					cmp.Compare(a.Release, b.Release), cmp.Compare(a.Arch, b.Arch))
			}
			slices.SortFunc(got, order)
			slices.SortFunc(want, order)
			if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("packages differ (-want +got):\n%.4000s", diff)
			}
			t.Logf("%d packages", len(got))
		})
	}
}

func readUpstream(t *testing.T, file string) []rpmdb.Package {
	t.Helper()
	copied := filepath.Join(t.TempDir(), filepath.Base(file))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := upstream.Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	infos, err := db.ListPackages()
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []rpmdb.Package
	for _, info := range infos {
		files, err := info.InstalledFileNames()
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i] = strings.TrimPrefix(files[i], "/")
		}
		pkgs = append(pkgs, rpmdb.Package{
			Name: info.Name, Epoch: info.EpochNum(), Version: info.Version, Release: info.Release, Arch: info.Arch,
			Source: info.SourceRpm, Vendor: info.Vendor, License: info.License, Module: info.Modularitylabel, Files: files,
		})
	}
	return pkgs
}

func FuzzRead(f *testing.F) {
	for _, file := range databases(f) {
		if data, err := os.ReadFile(file); err == nil && len(data) < 128<<10 {
			f.Add(data)
		}
	}
	f.Add([]byte("SQLite format 3\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = rpmdb.Read(context.Background(), data)
	})
}
