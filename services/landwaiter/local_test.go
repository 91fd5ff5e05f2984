package landwaiter_test

import (
	"archive/tar"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// sameLocally scans what the pipeline has scanned from all kinds of sources.
func sameLocally(t *testing.T, in *installation, ref string) {
	t.Helper()
	want := reportOf(t, in.command(t, "report", "-o", "json", ref))
	folder, archive, docker := files(t)
	for _, source := range []string{ref, "oci:" + folder, "oci-archive:" + archive} {
		got := in.command(t, "scan", "--local", "-o", "json", "--data", t.TempDir(), "--advisories", in.advisories, source)
		if got.code != 0 {
			t.Fatalf("%s: %+v", source, got)
		}
		sameReport(t, source, want, reportOf(t, got))
	}
	// The pipeline's own database is found in its data folder.
	got := in.command(t, "scan", "--local", "-o", "json", "--data", in.data, ref)
	sameReport(t, "with the pipeline's database", want, reportOf(t, got))

	saved := in.command(t, "scan", "--local", "-o", "json", "--data", t.TempDir(), "--advisories", in.advisories, "docker-archive:"+docker)
	sameReport(t, "docker-archive", unnamed(want), unnamed(reportOf(t, saved)))
}

// unnamed leaves out the digests: in what docker saves they are others.
func unnamed(r verdict.Report) verdict.Report {
	r.Image.Digest, r.Inventory, r.Layers = "", "", nil
	for i := range r.Packages {
		r.Packages[i].Layer.Digest = ""
	}
	for i := range r.Findings {
		r.Findings[i].Layer.Digest = ""
	}
	return r
}

// files stores the image as an OCI layout, as an archive of that, and as
// docker saves it.
func files(t *testing.T) (folder, archive, docker string) {
	t.Helper()
	dir := t.TempDir()
	folder, archive, docker = filepath.Join(dir, "oci"), filepath.Join(dir, "oci.tar"), filepath.Join(dir, "docker.tar")
	p, err := layout.Write(folder, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	img := debian(t)
	if err := p.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	pack(t, folder, archive)
	if err := tarball.WriteToFile(docker, name.MustParseReference("team/app:1.0"), img); err != nil {
		t.Fatal(err)
	}
	return folder, archive, docker
}

func pack(t *testing.T, folder, archive string) {
	t.Helper()
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: "./" + filepath.ToSlash(inside), Mode: 0o644, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Sources that cannot be read are told apart, with what to do.
func TestLocalSourcesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	squeezed := filepath.Join(dir, "image.tar.gz")
	if err := os.WriteFile(squeezed, []byte("\x1f\x8bnothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, archive, _ := files(t)
	in := &installation{env: map[string]string{}}
	for source, want := range map[string]string{
		"oci:" + dir:                 "index.json",
		"oci-archive:" + dir + "/no": "no such file",
		"oci-archive:" + squeezed:    "decompress it first",
		"docker-archive:" + archive:  "oci-archive:",
		"UPPER/case":                 "image reference",
	} {
		got := in.command(t, "scan", "--local", "--data", dir, "--advisories", dir, source)
		if got.code != 1 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: code %d, %q, want %q", source, got.code, got.stderr, want)
		}
	}
}

// The sample that is shipped can be read, and knows what nearly every image has.
func TestShippedSample(t *testing.T) {
	_, archive, _ := files(t)
	in := &installation{env: map[string]string{}}
	got := in.command(t, "scan", "--local", "--data", t.TempDir(), "--advisories", "sample", "oci-archive:"+archive)
	for _, want := range []string{"CVE-2024-45490", "libexpat1", "zlib1g"} {
		if got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("no %s: %+v", want, got)
		}
	}
}
