package registry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/registry"
)

// poison makes every use of the shared transport fail.
func poison(t *testing.T) {
	t.Helper()
	old := http.DefaultTransport                      //nolint:forbidigo // to see that nobody uses it
	http.DefaultTransport = nil                       //nolint:forbidigo,reassign // see above
	t.Cleanup(func() { http.DefaultTransport = old }) //nolint:forbidigo,reassign // see above
}

func TestReadImage(t *testing.T) {
	poison(t)
	h, manifest := store(t)
	c := client(t, serve(t, h), config.Resolved{})
	ctx := t.Context()
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	d, err := c.Head(ctx, "acme/app", "v1")
	if err != nil || d.Size != int64(len(manifest)) || d.MediaType != "application/vnd.oci.image.manifest.v1+json" {
		t.Fatalf("Head: got %+v, %v", d, err)
	}
	raw, mediaType, err := c.Manifest(ctx, "acme/app", d.Digest)
	if err != nil || string(raw) != string(manifest) {
		t.Fatalf("Manifest: got %s, %v", raw, err)
	}
	m, err := registry.Classify(raw, mediaType)
	if err != nil || m.Class != registry.Image || m.Config.Digest != digest {
		t.Fatalf("Classify: got %+v, %v", m, err)
	}
	if cfg, err := c.Config(ctx, "acme/app", m.Config.Digest); err != nil || string(cfg) != "{}" {
		t.Errorf("Config: got %s, %v", cfg, err)
	}
	if page, next, err := c.Catalog(ctx, nil, "", 10); err != nil || len(page) != 1 || next != "" {
		t.Errorf("Catalog: got %v, %q, %v", page, next, err)
	}
	if page, next, err := c.Tags(ctx, "acme/app", "", 10); err != nil || len(page) != 1 || next != "" {
		t.Errorf("Tags: got %v, %q, %v", page, next, err)
	}
}

func TestNotFound(t *testing.T) {
	h, _ := store(t)
	c := client(t, serve(t, h), config.Resolved{})
	none := "sha256:" + strings.Repeat("0", 64)
	for name, try := range map[string]func() error{
		"tag":        func() error { _, err := c.Head(t.Context(), "acme/app", "v2"); return err },
		"repository": func() error { _, err := c.Head(t.Context(), "acme/none", "v1"); return err },
		"manifest":   func() error { _, _, err := c.Manifest(t.Context(), "acme/app", none); return err },
		"blob":       func() error { _, _, err := c.Blob(t.Context(), "acme/app", none); return err },
		"tags":       func() error { _, _, err := c.Tags(t.Context(), "acme/none", "", 0); return err },
	} {
		if err := try(); !errors.Is(err, registry.ErrNotFound) || !strings.HasPrefix(err.Error(), "registry test: ") {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
}

func TestInvalidRequests(t *testing.T) {
	c := client(t, serve(t, answer(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })), config.Resolved{})
	for name, try := range map[string]func() error{
		"path in repository": func() error { _, err := c.Head(t.Context(), "../../x", "v1"); return err },
		"path in tag":        func() error { _, err := c.Head(t.Context(), "a", "../x"); return err },
		"tag as digest":      func() error { _, _, err := c.Manifest(t.Context(), "a", "v1"); return err },
		"bad digest":         func() error { _, _, err := c.Blob(t.Context(), "a", "md5:00"); return err },
		"cursor":             func() error { _, _, err := c.Catalog(t.Context(), nil, "a b", 1); return err },
		"query in repo":      func() error { _, _, err := c.Tags(t.Context(), "a?x=", "", 1); return err },
	} {
		if err := try(); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

func TestStatuses(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header [2]string
		kind   error
		after  time.Duration
	}{
		{"unauthorized", 401, [2]string{}, registry.ErrUnauthorized, 0},
		{"forbidden", 403, [2]string{}, registry.ErrUnauthorized, 0},
		{"missing", 404, [2]string{}, registry.ErrNotFound, 0},
		{"too many", 429, [2]string{"Retry-After", "7"}, registry.ErrUnavailable, 7 * time.Second},
		{"too many, silent", 429, [2]string{}, registry.ErrUnavailable, 0},
		{"too many, for ever", 429, [2]string{"Retry-After", "999999999"}, registry.ErrUnavailable, 24 * time.Hour},
		{"broken", 500, [2]string{}, registry.ErrUnavailable, 0},
		{"resting", 503, [2]string{"Retry-After", "3"}, registry.ErrUnavailable, 3 * time.Second},
		{"teapot", 418, [2]string{}, registry.ErrInvalid, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, serve(t, answer(func(w http.ResponseWriter, _ *http.Request) {
				if tt.header[0] != "" {
					w.Header().Set(tt.header[0], tt.header[1])
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(`{"errors":[{"code":"SECRET hunter2","message":"hunter2"},{"code":"DENIED"}]}`))
			})), config.Resolved{Name: "reader", Type: config.BasicCredential, Username: "u", Password: config.NewSecret("hunter2")})
			_, _, err := c.Manifest(t.Context(), "a", digest)
			if !errors.Is(err, tt.kind) || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("got %v, want %v without the secret", err, tt.kind)
			}
			if errors.Is(err, registry.ErrUnauthorized) && !strings.Contains(err.Error(), "credential reader: status") {
				t.Errorf("got %v, want the credential's name", err)
			}
			var u *registry.Unavailable
			if errors.As(err, &u) && u.RetryAfter != tt.after {
				t.Errorf("got %s, want %s", u.RetryAfter, tt.after)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	c := client(t, s, config.Resolved{})
	s.Close()
	if err := c.Ping(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("closed port: got %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Ping(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("cancelled: got %v, want context.Canceled", err)
	}
	not := client(t, serve(t, http.NotFoundHandler()), config.Resolved{})
	if err := not.Ping(t.Context()); !errors.Is(err, registry.ErrUnsupported) {
		t.Errorf("no registry: got %v, want ErrUnsupported", err)
	}
	meta := clientFor(t, config.Registry{Name: "m", Address: "http://169.254.169.254"}, config.Resolved{})
	if err := meta.Ping(t.Context()); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("metadata address: got %v, want ErrInvalid", err)
	}
}

func TestLyingRegistry(t *testing.T) {
	other := "sha256:" + strings.Repeat("0", 64)
	header := ""
	size := 2
	c := client(t, serve(t, answer(func(w http.ResponseWriter, _ *http.Request) {
		if header != "" {
			w.Header().Set("Docker-Content-Digest", header)
		}
		_, _ = w.Write([]byte("{}" + strings.Repeat(" ", size-2)))
	})), config.Resolved{})
	ctx := t.Context()
	if _, _, err := c.Manifest(ctx, "a", other); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("other manifest: got %v", err)
	}
	if _, err := c.Config(ctx, "a", other); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("other configuration: got %v", err)
	}
	if d, err := c.Head(ctx, "a", "v1"); err != nil || d.Digest != digest {
		t.Errorf("no digest header: got %+v, %v", d, err)
	}
	if _, err := c.Head(ctx, "a", other); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("no digest header, other digest: got %v", err)
	}
	header = other
	if _, err := c.Head(ctx, "a", digest); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("other digest header: got %v", err)
	}
	header = "sha256:xyz"
	if _, err := c.Head(ctx, "a", "v1"); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("bad digest header: got %v", err)
	}
	size = 9 << 20
	if _, _, err := c.Manifest(ctx, "a", digest); !errors.Is(err, registry.ErrTooLarge) {
		t.Errorf("large manifest: got %v", err)
	}
	if _, err := c.Config(ctx, "a", digest); !errors.Is(err, registry.ErrTooLarge) {
		t.Errorf("large configuration: got %v", err)
	}
	if _, _, err := c.Catalog(ctx, nil, "", 0); !errors.Is(err, registry.ErrTooLarge) {
		t.Errorf("large catalog: got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(file, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cfg  config.Registry
		cred config.Resolved
	}{
		"address":       {config.Registry{Address: "a/b"}, config.Resolved{}},
		"aws":           {config.Registry{}, config.Resolved{Type: config.AWSCredential}},
		"docker config": {config.Registry{}, config.Resolved{Type: config.DockerConfigFile, Config: config.NewSecret("{}")}},
		"CA":            {config.Registry{TLS: config.TLS{CA: file}}, config.Resolved{}},
		"missing CA":    {config.Registry{TLS: config.TLS{CA: file + "x"}}, config.Resolved{}},
		"key pair":      {config.Registry{TLS: config.TLS{Cert: file, Key: file}}, config.Resolved{}},
	} {
		if _, err := registry.New(tt.cfg, tt.cred, registry.Options{}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
