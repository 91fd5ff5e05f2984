package feed_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/klauspost/compress/gzip"
)

// oci is a registry that counts the blobs it gives away.
func oci(t *testing.T) (host string, blobs *atomic.Int32) {
	t.Helper()
	inner := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))
	blobs = &atomic.Int32{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			blobs.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://"), blobs
}

// titled is a layer with a title.
func titled(content []byte, title string) mutate.Addendum {
	add := mutate.Addendum{Layer: static.NewLayer(content, "application/vnd.dev.landwaiter.osv")}
	if title != "" {
		add.Annotations = map[string]string{"org.opencontainers.image.title": title}
	}
	return add
}

func push(t *testing.T, ref string, layers ...mutate.Addendum) {
	t.Helper()
	tag, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	var img v1.Image
	if img, err = mutate.Append(empty.Image, layers...); err == nil {
		err = remote.Write(tag, img)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func tarred(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for path, content := range files {
		err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestAdvisoriesFromARegistry(t *testing.T) {
	t.Parallel()
	host, blobs := oci(t)
	ref := host + "/advisories/osv:1"
	push(t, ref,
		titled(export(t, "npm", "GHSA-1"), "npm/all.zip"),
		titled(tarred(t, map[string][]byte{"./Debian/all.zip": export(t, "Debian:12", "DEBIAN-1"), "README": []byte("x")}), ""))
	f := newFeed(t, "oci://"+ref)
	first := update(t, f)
	if first.Records != 2 {
		t.Errorf("got %+v", first)
	}
	read := blobs.Load()
	if again := update(t, f); again != first || blobs.Load() != read {
		t.Errorf("then %+v, after %d blobs", again, blobs.Load()-read)
	}
	push(t, ref, titled(export(t, "npm", "GHSA-2"), "npm/all.zip"))
	if changed := update(t, f); changed.Records != 1 {
		t.Errorf("got %+v", changed)
	}
}

func TestArtifactsThatAreRefused(t *testing.T) {
	t.Parallel()
	host, _ := oci(t)
	good := export(t, "npm", "GHSA-1")
	damaged := bytes.Clone(good)
	damaged[45]++
	tests := []struct{ name, title, want string }{
		{"no title", "", "is no title of a zip"},
		{"above", "../all.zip", "is no title of a zip"},
		{"too deep", "a/b/all.zip", "is no title of a zip"},
		{"damaged", "npm/all.zip", "verify zip"},
		{"nothing in it", "", "holds no Ecosystem/all.zip"},
		{"neither", "", "neither a zip nor a tar"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			content := good
			switch tt.name {
			case "damaged":
				content = damaged
			case "nothing in it":
				content = tarred(t, map[string][]byte{"../../all.zip": good, "a/b/all.zip": good})
			case "neither":
				content = bytes.Repeat([]byte("text "), 500)
			}
			ref := host + "/" + strings.ReplaceAll(tt.name, " ", "-") + ":1"
			push(t, ref, titled(content, tt.title))
			if err := newFeed(t, "oci://"+ref).Update(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
