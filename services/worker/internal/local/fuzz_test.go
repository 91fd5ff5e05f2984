package local

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

// FuzzSaved opens files of docker save with any manifest, configuration and
// layer: FuzzArchive hardly gets behind the checksums of the archive.
func FuzzSaved(f *testing.F) {
	diff := layertest.Digest([]byte("x"))
	config := fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[%q]}}`, diff)
	f.Add([]byte(`[{"Config":"c","Layers":["l"]}]`), []byte(config), []byte("x"))
	f.Add([]byte(`[{"Config":"c","Layers":["m"],"LayerSources":{"`+diff+`":{"urls":["https://example.org"]}}}]`), []byte(config), []byte("\x1f\x8b"))
	f.Add([]byte(`[{"Config":"manifest.json","Layers":null}]`), []byte("{}"), []byte("\x28\xb5\x2f\xfd"))
	path := filepath.Join(f.TempDir(), "image.tar")
	f.Fuzz(func(t *testing.T, manifest, config, content []byte) {
		raw := layertest.Tar(t, layertest.Entry{Name: "c", Content: string(config)}, layertest.Entry{Name: "l", Content: string(content)},
			layertest.Entry{Name: "manifest.json", Content: string(manifest)})
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		img, err := openDocker(path)
		if err != nil {
			return
		}
		drain(t, img)
	})
}

// FuzzLayout opens OCI layouts with any index, manifest and configuration. The
// digests are right, so that it gets behind them.
func FuzzLayout(f *testing.F) {
	config := `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + layertest.Digest(nil) + `"]}}`
	layer := fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":0}`, layertest.Digest(nil))
	f.Add(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"MANIFEST","size":1}]}`,
		`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"CONFIG","size":1},"layers":[`+layer+`]}`, config)
	f.Add(`{"manifests":[{"digest":"MANIFEST","size":1},{"digest":"CONFIG","size":1,"platform":{"os":"linux"}}]}`,
		`{"manifests":[{"digest":"CONFIG","size":1,"mediaType":"application/vnd.oci.image.index.v1+json"}]}`, config)
	path := filepath.Join(f.TempDir(), "image.tar")
	f.Fuzz(func(t *testing.T, index, manifest, config string) {
		configured := layertest.Digest([]byte(config))
		manifest = strings.ReplaceAll(manifest, "CONFIG", configured)
		named := layertest.Digest([]byte(manifest))
		index = strings.ReplaceAll(strings.ReplaceAll(index, "CONFIG", configured), "MANIFEST", named)
		raw := layertest.Tar(t, layertest.Entry{Name: "index.json", Content: index},
			layertest.Entry{Name: blobPath(named), Content: manifest}, layertest.Entry{Name: blobPath(configured), Content: config},
			layertest.Entry{Name: blobPath(layertest.Digest(nil))})
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		img, err := openArchive(t.Context(), path, "")
		if err != nil {
			return
		}
		if img.Index() {
			t.Errorf("opened an index: %+v", img.Image)
		}
		drain(t, img)
	})
}

// drain reads every layer that is there, and closes the image.
func drain(t *testing.T, img image) {
	t.Helper()
	for _, l := range img.Layers {
		if l.Foreign {
			continue
		}
		if body, err := img.blob(t.Context(), l.Digest); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(body, 1<<20))
			_ = body.Close()
		}
	}
	if err := img.close(); err != nil {
		t.Error(err)
	}
}
