package layer_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
