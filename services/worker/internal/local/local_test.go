package local

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

func reader(t *testing.T) *layer.Reader {
	t.Helper()
	limits := layer.DefaultLimits()
	set, err := extract.New(limits.Archives)
	if err != nil {
		t.Fatal(err)
	}
	return layer.NewReader(set, limits)
}

// saved is what docker save writes of an image of one layer.
func saved(t *testing.T, entries ...layertest.Entry) string {
	t.Helper()
	content := layertest.Tar(t, entries...)
	config := fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[%q]},"history":[{"created_by":"COPY"}]}`,
		layertest.Digest(content))
	archive := layertest.Tar(t,
		layertest.Entry{Name: "a/layer.tar", Content: string(content)},
		layertest.Entry{Name: "b/layer.tar", Type: tar.TypeSymlink, Link: "../a/layer.tar"},
		layertest.Entry{Name: "config.json", Content: config},
		layertest.Entry{Name: "manifest.json", Content: `[{"Config":"config.json","RepoTags":["app:1"],"Layers":["b/layer.tar"]}]`},
	)
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func debian() []layertest.Entry {
	return []layertest.Entry{
		{Name: "etc/os-release", Content: "ID=debian\nVERSION_ID=\"12\"\n"},
		{Name: "var/lib/dpkg/status", Content: "Package: libexpat1\nStatus: install ok installed\nArchitecture: amd64\nSource: expat\nVersion: 2.5.0-1\n\n"},
	}
}

// Without advisories nothing is known, which is not clean; neither is what is
// made with a sample.
func TestUnknownIsNotClean(t *testing.T) {
	sample := t.TempDir()
	writeExport(t, sample)
	path := saved(t, debian()...)
	for _, tt := range []struct {
		name   string
		sample bool
		code   string
		status verdict.Status
	}{
		{"no advisories", false, verdict.NoteNoDatabase, verdict.Scanned},
		{"sample", true, "sample-database", verdict.Completed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var said []string
			o := Options{
				Source: "docker-archive:" + path, Public: "http://127.0.0.1:1", Cache: t.TempDir(), Reader: reader(t), Now: time.Now,
				Notice: func(s string) { said = append(said, s) },
			}
			if tt.sample {
				o.Sample = os.DirFS(sample)
			}
			r, err := Scan(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Completeness.Complete || r.Completeness.Notes[0].Code != tt.code || r.Status != tt.status || len(r.Packages) != 1 {
				t.Errorf("report %+v", r)
			}
			if !strings.Contains(strings.Join(said, "\n"), "out of reach") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// writeExport makes dir an export with one advisory.
func writeExport(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "Debian"), 0o700); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	out, err := w.Create("DEBIAN-CVE-2001-0001.json")
	if err == nil {
		_, err = io.WriteString(out, `{"id": "DEBIAN-CVE-2001-0001", "modified": "2001-02-03T04:05:06Z", "upstream": ["CVE-2001-0001"],
			"affected": [{"package": {"ecosystem": "Debian:12", "name": "zlib"},
				"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}`)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "Debian", "all.zip"), b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A layer that is not the one the configuration names is refused.
func TestWrongLayerIsRefused(t *testing.T) {
	path := saved(t, debian()...)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(raw, []byte("2.5.0-1"), []byte("9.9.9-9"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Scan(t.Context(), Options{Source: "docker-archive:" + path, Cache: t.TempDir(), Reader: reader(t), Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("error %v", err)
	}
}

func TestChoose(t *testing.T) {
	children := []state.Child{
		{Digest: "sha256:1"}, {Digest: "sha256:2"}, {Digest: "sha256:3"},
	}
	children[0].Platform.OS, children[0].Platform.Architecture = "linux", "amd64"
	children[1].Platform.OS, children[1].Platform.Architecture, children[1].Platform.Variant = "linux", "arm", "v7"
	children[2].Platform.OS, children[2].Platform.Architecture, children[2].Platform.Variant = "linux", "arm", "v6"
	for _, tt := range []struct{ platform, want, wrong string }{
		{"linux/amd64", "sha256:1", ""},
		{"linux/arm/v6", "sha256:3", ""},
		{"linux/arm", "", "several images for linux/arm; name one by its digest, or by its platform with --platform: @sha256:2 (linux/arm/v7), @sha256:3 (linux/arm/v6)"},
		{"windows", "", "linux/amd64, linux/arm/v7, linux/arm/v6"},
	} {
		got, err := choose(children, tt.platform)
		if string(got) != tt.want || (err == nil) != (tt.wrong == "") || (err != nil && !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%s: %q, %v; want %q, %q", tt.platform, got, err, tt.want, tt.wrong)
		}
	}
	if got, err := choose(append(children, children...), "linux/arm/v6"); got != "sha256:3" || err != nil {
		t.Errorf("entered twice: %q, %v", got, err)
	}
	if got, err := choose(children[2:], ""); got != "sha256:3" || err != nil {
		t.Errorf("the only one: %q, %v", got, err)
	}
}

// Whatever is in a file, opening it ends with an image or an error.
func FuzzArchive(f *testing.F) {
	f.Add(layertest.Tar(f, layertest.Entry{Name: "manifest.json", Content: `[{"Config":"c","Layers":["l"]}]`},
		layertest.Entry{Name: "c", Content: `{"rootfs":{"diff_ids":["sha256:0"]}}`}, layertest.Entry{Name: "l", Type: tar.TypeSymlink, Link: "../l"}))
	f.Add(layertest.Tar(f, layertest.Entry{Name: "index.json", Content: `{"manifests":[{"digest":"sha256:1","size":1}]}`}))
	path := filepath.Join(f.TempDir(), "image.tar")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if img, err := openDocker(path); err == nil {
			_ = img.close()
		}
		if img, err := openArchive(t.Context(), path, ""); err == nil {
			_ = img.close()
		}
	})
}
