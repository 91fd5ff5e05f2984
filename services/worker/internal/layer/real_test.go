package layer_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

// rootfs reads the layer of a real distribution and the listing beside it.
func rootfs(tb testing.TB) (blob []byte, listing string) {
	tb.Helper()
	file := os.Getenv("LANDWAITER_ROOTFS_LAYER")
	if file == "" {
		tb.Skip("set LANDWAITER_ROOTFS_LAYER to a LAYER.tar.gz of a debootstrap tree, with LAYER.packages beside it: " +
			`dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\n'`)
	}
	blob, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(filepath.Dir(file), strings.TrimSuffix(filepath.Base(file), ".tar.gz")+".packages"))
	if err != nil {
		tb.Fatal(err)
	}
	return blob, string(list)
}

func TestReadDistribution(t *testing.T) {
	blob, listing := rootfs(t)
	got, err := newReader(t, nil).Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(listing), "\n")
	var found []string
	for _, p := range got.Packages {
		if p.Type == "deb" {
			found = append(found, p.Name+"\t"+p.Version+"\t"+p.Arch)
		}
	}
	slices.Sort(want)
	slices.Sort(found)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("packages differ (-dpkg-query +got):\n%s", diff)
	}
	if got.Partial || len(got.Notes) > 0 {
		t.Errorf("got partial %v, notes %+v", got.Partial, got.Notes)
	}
	data, err := got.Encode()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d packages, %d paths, %d owners, %d bytes encoded", len(got.Packages), len(got.Paths), len(got.Owners), len(data))
}

// TestReadDebianPackages reads packages of Ruby's gems and of R as if each were
// a layer. What is in them stands in their paths: a gem's specification is
// called NAME-VERSION.gemspec, and a package of R has the version of the file.
func TestReadDebianPackages(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(os.Getenv("LANDWAITER_DEBS"), "*.deb"))
	if os.Getenv("LANDWAITER_DEBS") == "" || err != nil || len(files) == 0 {
		t.Skip("set LANDWAITER_DEBS to a folder: apt-get download ruby-rack ruby-nokogiri libruby r-cran-jsonlite")
	}
	r := newReader(t, nil)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			blob, err := exec.CommandContext(t.Context(), "dpkg-deb", "--fsys-tarfile", file).Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Read(t.Context(), layertest.Digest(blob), bytes.NewReader(blob))
			if err != nil {
				t.Fatal(err)
			}
			if got.Partial || len(got.Notes) > 0 {
				t.Errorf("got partial %v, notes %+v", got.Partial, got.Notes)
			}
			found := []string{}
			for _, p := range got.Packages {
				switch p.Type {
				case "gem":
					found = append(found, p.Name+"-"+p.Version+".gemspec")
				case "cran":
					found = append(found, p.Name+" "+p.Version)
				}
			}
			if diff := cmp.Diff(stated(t, filepath.Base(file), blob), found, cmpopts.SortSlices(strings.Compare)); diff != "" {
				t.Errorf("packages differ (-paths +got):\n%s", diff)
			}
			t.Logf("%d packages", len(found))
		})
	}
}

// stated is what the paths in a Debian package say is in it.
func stated(t *testing.T, deb string, blob []byte) []string {
	t.Helper()
	all := []string{}
	for archive := tar.NewReader(bytes.NewReader(blob)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		dir, base := path.Split(header.Name)
		switch {
		case strings.Contains(dir, "/specifications/") && strings.HasSuffix(base, ".gemspec"):
			all = append(all, base)
		case base == "DESCRIPTION" && strings.HasPrefix(deb, "r-cran-"):
			version, _, _ := strings.Cut(strings.Split(deb, "_")[1], "-")
			version, _, _ = strings.Cut(version, "+")
			all = append(all, path.Base(path.Dir(header.Name))+" "+version)
		}
	}
}
