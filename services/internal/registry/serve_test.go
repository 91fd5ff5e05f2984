package registry_test

import (
	"encoding/json"
	"io"
	"log" //nolint:depguard // what the test registry takes
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/registry"
)

// digest is what it says of "{}".
const digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

// serve starts a server that ends with the test.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// answer serves /v2/ and everything else with the given handler.
func answer(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		h(w, r)
	})
}

// client makes a client for a server at a loopback address.
func client(t *testing.T, s *httptest.Server, cred config.Resolved) *registry.Client {
	t.Helper()
	return clientFor(t, config.Registry{Name: "test", Address: strings.TrimPrefix(s.URL, "http://")}, cred)
}

func clientFor(t *testing.T, cfg config.Registry, cred config.Resolved) *registry.Client {
	t.Helper()
	cfg.Limits.RequestsPerSecond = 10_000
	c, err := registry.New(cfg, cred, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// store is a registry with a repository acme/app: a manifest under the tag
// v1, and the manifest's bytes as a blob.
func store(t *testing.T) (h http.Handler, manifest []byte) {
	t.Helper()
	h = ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	put := func(method, path, contentType string, body []byte) {
		req := httptest.NewRequest(method, path, strings.NewReader(string(body)))
		req.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	put(http.MethodPost, "/v2/acme/app/blobs/uploads/?digest="+digest, "", []byte("{}"))
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2},
		"layers": []any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	put(http.MethodPut, "/v2/acme/app/manifests/v1", "application/vnd.oci.image.manifest.v1+json", manifest)
	return h, manifest
}
