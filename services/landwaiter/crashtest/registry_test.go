package crashtest

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// fakeRegistry is go-containerregistry's registry with habits of its own.
type fakeRegistry struct {
	host   string
	mu     sync.Mutex
	slow   string            // blob that takes longer than a lease is renewed
	stuck  string            // blob that never comes
	lost   string            // blob that is not there
	gone   string            // repository that was deleted
	busy   string            // repository that answers 503 once
	odd    map[string][]byte // manifests that are none, by digest
	served map[string]int    // blobs read to the end
}

func startRegistry(t *testing.T) *fakeRegistry {
	t.Helper()
	f := &fakeRegistry{odd: map[string][]byte{}, served: map[string]int{}}
	inner := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f.handled(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	f.host = strings.TrimPrefix(srv.URL, "http://")
	return f
}

// handled does what the registry underneath would not.
func (f *fakeRegistry) handled(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	slow, stuck, lost, gone := f.slow, f.stuck, f.lost, f.gone
	busy := f.busy != "" && strings.HasPrefix(r.URL.Path, "/v2/"+f.busy+"/")
	if busy {
		f.busy = ""
	}
	what := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	odd := f.odd[what]
	read := r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/")
	if read {
		f.served[what]++
	}
	f.mu.Unlock()
	switch {
	case busy:
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	case odd != nil:
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		w.Header().Set("Docker-Content-Digest", what)
		_, _ = w.Write(odd)
		return true
	case gone != "" && strings.HasPrefix(r.URL.Path, "/v2/"+gone+"/"), read && what == lost:
		http.Error(w, `{"errors":[{"code":"NAME_UNKNOWN"}]}`, http.StatusNotFound)
		return true
	case read && what == stuck:
		<-r.Context().Done()
		return true
	case read && what == slow:
		select {
		case <-time.After(700 * time.Millisecond):
		case <-r.Context().Done():
		}
	}
	return false
}

func (f *fakeRegistry) set(change func(f *fakeRegistry)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeRegistry) reads(digest string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.served[digest]
}

func (f *fakeRegistry) push(t *testing.T, ref string, img v1.Image) string {
	t.Helper()
	tag, err := name.ParseReference(f.host+"/"+ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	return digest(t, img)
}

func digest(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

func layer(t *testing.T, files map[string]string) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for path, body := range files {
		err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg})
		if _, writeErr := io.WriteString(w, body); errors.Join(err, writeErr) != nil {
			t.Fatal(errors.Join(err, writeErr))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func corrupt() v1.Layer {
	return static.NewLayer([]byte("\x1f\x8b\x08 this is gzip by its first bytes only"), types.DockerLayer)
}

func image(t *testing.T, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	for i, l := range layers {
		if err == nil {
			img, err = mutate.Append(img, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: fmt.Sprintf("step %d", i)}})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// debian is a layer with a Debian 12 and one package that has flaws.
func debian(t *testing.T) v1.Layer {
	t.Helper()
	return layer(t, map[string]string{
		"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n",
		"var/lib/dpkg/status": "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nSource: zlib\n" +
			"Version: 1:1.2.13-1\nMaintainer: Debian <d@debian.org>\n\n",
	})
}
