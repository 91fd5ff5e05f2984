package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/bcrypt"

	"github.com/landwaiter/landwaiter/test/harness"
)

// Each of these ends in a state that the API and the command line show, and
// the queue goes on: the sound image at the end is scanned.
func TestBrokenThings(t *testing.T) {
	in := install(t, options{})
	debian := harness.Debian(t, packages...).Image(t)

	t.Run("a corrupt layer", func(t *testing.T) {
		digest := in.registry.Push(t, "bad/corrupt:1", harness.Append(t, debian, blob(t, gzipped(t, []byte(strings.Repeat("this is no tar archive ", 1000)))), "broken")).String()
		r := in.reported(digest, 0)
		if !strings.Contains(r.Error, "layer") {
			t.Errorf("the reason does not name the layer: %q", r.Error)
		}
		shown := in.command("report", in.registry.Host+"/bad/corrupt:1")
		if !strings.Contains(shown.Stdout+shown.Stderr, "layer") {
			t.Errorf("landwaiter report does not tell: %s%s", shown.Stdout, shown.Stderr)
		}
	})

	t.Run("a layer that changed in the registry's storage", func(t *testing.T) {
		image := harness.Append(t, debian, harness.Files(t, map[string]string{"b": strings.Repeat("b", 10_000)}), "COPY b")
		h, err := v1.NewHash(top(t, image))
		if err != nil {
			t.Fatal(err)
		}
		// Pushed to a registry that tells nobody yet, so that it can be spoiled
		// before it is read.
		in.registry.Restart(t, harness.RegistryOptions{})
		digest := in.registry.Push(t, "bad/spoiled:1", image).String()
		content, err := os.ReadFile(in.registry.BlobFile(h))
		if err == nil {
			content[len(content)/2] ^= 0xff
			err = os.WriteFile(in.registry.BlobFile(h), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		in.notify()
		in.request(t, "bad/spoiled:1")
		if r := in.reported(digest, 0); !strings.Contains(r.Error, "digest") && !strings.Contains(r.Error, "corrupt") {
			t.Errorf("the reason is %q", r.Error)
		}
	})

	t.Run("a manifest that is no image", func(t *testing.T) {
		chart := mutate.ConfigMediaType(harness.Append(t, debian, harness.Files(t, map[string]string{"Chart.yaml": "name: c"}), ""), "application/vnd.cncf.helm.config.v1+json")
		digest := in.registry.Push(t, "charts/app:1", chart).String()
		var answer struct {
			State, Error string
		}
		if err := in.call(t.Context(), http.MethodPost, "/api/v1/scans", map[string]any{"image": in.registry.Host + "/charts/app:1"}, &answer); err != nil {
			t.Fatal(err)
		}
		if answer.State != "failed" || !strings.Contains(answer.Error, "not a container image") {
			t.Errorf("the answer to a request for a chart is %+v", answer)
		}
		list, err := in.images(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, img := range list {
			if img.Digest == digest {
				t.Errorf("the chart is listed as an image: %+v", img)
			}
		}
	})

	t.Run("a decompression bomb", func(t *testing.T) {
		digest := in.registry.Push(t, "bad/bomb:1", harness.Append(t, debian, bomb(t), "bomb")).String()
		r := in.reported(digest, 6)
		if r.Completeness.Complete || len(r.Completeness.Notes) == 0 {
			t.Errorf("the bomb's report claims to be complete: %+v", r.Completeness)
		}
	})

	t.Run("an unreachable registry", func(t *testing.T) {
		in.registry.Stop()
		var answer struct{ State, Error string }
		err := in.call(t.Context(), http.MethodPost, "/api/v1/scans", map[string]any{"image": in.registry.Host + "/team/any:1"}, &answer)
		if err != nil || answer.State != "failed" || !strings.Contains(answer.Error, "unavailable") {
			t.Errorf("the answer is %+v, error %v", answer, err)
		}
	})

	t.Run("a push of an unreachable registry", func(t *testing.T) {
		in.deliver("team/any", "1")
		if c := in.conditioned("unavailable"); c.Since.IsZero() || c.LastAt.Before(c.Since) || c.Count < 1 {
			t.Errorf("the condition is %+v", c)
		}
		if shown := in.command("get", "registries"); !strings.Contains(shown.Stdout, "unavailable") {
			t.Errorf("landwaiter get registries does not tell: %s%s", shown.Stdout, shown.Stderr)
		}
	})

	t.Run("and the queue goes on", func(t *testing.T) {
		in.notify()
		sound := harness.Append(t, debian, harness.Files(t, map[string]string{"sound": "yes"}), "COPY sound")
		in.reported(in.registry.Push(t, "team/sound:1", sound).String(), 6)
		in.conditioned("") // the registry answers again
	})
}

// A wrong password ends in a state that names the credential.
func TestWrongPassword(t *testing.T) {
	in := install(t, options{env: []string{"READER_PASSWORD=wrong"}})
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	in.registry.Restart(t, harness.RegistryOptions{HTPasswd: "reader:" + string(hash) + "\n"})
	in.up.Stop(t)
	in.write(fmt.Sprintf(`registries:
  - name: local
    type: oci
    address: http://%s
    credential: reader
    webhook: {secret: {env: HOOK_SECRET}}
credentials:
  - name: reader
    type: basic
    username: reader
    password: {env: READER_PASSWORD}
rules:
  - name: everything
    registry: local
    onPush: true
`, in.registry.Host))
	in.start()
	var answer struct{ State, Error string }
	if err := in.call(t.Context(), http.MethodPost, "/api/v1/scans", map[string]any{"image": in.registry.Host + "/team/any:1"}, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.State != "failed" || !strings.Contains(answer.Error, "reader") {
		t.Errorf("the answer is %+v", answer)
	}
	in.deliver("team/any", "1")
	c := in.conditioned("reader")
	if strings.Contains(in.up.Stderr()+answer.Error+c.Error, "wrong") {
		t.Error("the password is in the log, the answer or the registry's condition")
	}
}

func (in *installation) request(t *testing.T, ref string) {
	t.Helper()
	harness.WaitFor(t, soon, "the request for "+ref, func(ctx context.Context) error {
		return in.call(ctx, http.MethodPost, "/api/v1/scans", map[string]any{"image": in.registry.Host + "/" + ref}, nil)
	}, in.up)
}

// blob is a layer of these compressed bytes, whatever they are.
func blob(t *testing.T, compressed []byte) v1.Layer {
	t.Helper()
	return staticLayer{compressed}
}

func gzipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// staticLayer is a layer that is not looked into when it is pushed.
type staticLayer struct{ content []byte }

func (l staticLayer) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(l.content))
	return h, err
}
func (l staticLayer) DiffID() (v1.Hash, error) { return l.Digest() }
func (l staticLayer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.content)), nil
}
func (l staticLayer) Uncompressed() (io.ReadCloser, error) { return l.Compressed() }
func (l staticLayer) Size() (int64, error)                 { return int64(len(l.content)), nil }
func (l staticLayer) MediaType() (types.MediaType, error)  { return types.OCILayer, nil }

// bomb is a layer of three megabytes that unpacks to one file of three
// gigabytes.
func bomb(t *testing.T) v1.Layer {
	t.Helper()
	const size = 3 << 30
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	head, err := tarHeader("bomb", size)
	if err == nil {
		_, err = w.Write(head)
	}
	zeros := make([]byte, 1<<20)
	for range size / len(zeros) {
		if err == nil {
			_, err = w.Write(zeros)
		}
	}
	if err == nil {
		_, err = w.Write(make([]byte, 1024))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return staticLayer{buf.Bytes()}
}

func tarHeader(name string, size int64) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: size})
	return buf.Bytes(), err
}
