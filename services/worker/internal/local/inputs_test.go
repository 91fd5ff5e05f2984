package local

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/fingerprint"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

// written is a file with the archive of the entries.
func written(t *testing.T, entries ...layertest.Entry) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, layertest.Tar(t, entries...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func scanned(t *testing.T, source string) verdict.Report {
	t.Helper()
	advisories := t.TempDir()
	writeExport(t, advisories)
	r, err := Scan(t.Context(), Options{
		Source: source, Advisories: advisories, Cache: t.TempDir(), Reader: reader(t), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func codes(r verdict.Report) []string {
	var all []string
	for _, n := range r.Completeness.Notes {
		all = append(all, n.Code)
	}
	return all
}

// windowsLayer is what a build on Windows adds.
func windowsLayer(t *testing.T) []byte {
	t.Helper()
	return layertest.Tar(t, layertest.Entry{Name: "Files/"}, layertest.Entry{Name: "Hives/"},
		layertest.Entry{Name: "Files/app/node_modules/a/package.json", Content: `{"name":"a","version":"1.0.0"}`})
}

const (
	baseDiff    = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	windows2022 = "10.0.20348.2340"
)

func windowsConfig(appDiff string) string {
	return fmt.Sprintf(`{"os":"windows","architecture":"amd64","os.version":%q,"rootfs":{"type":"layers","diff_ids":[%q,%q]}}`,
		windows2022, baseDiff, appDiff)
}

// TestWindows scans an image on a base that may not be passed on, saved by
// Docker and in an archive of an OCI layout.
func TestWindows(t *testing.T) {
	app := windowsLayer(t)
	config := windowsConfig(layertest.Digest(app))
	packed := layertest.Gzip(t, 6, app)
	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[
	  {"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":%q,"size":1000,"urls":["https://example.org/base"]},
	  {"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}]}`,
		layertest.Digest([]byte(config)), len(config), baseDiff, layertest.Digest(packed), len(packed))
	blob := func(content string) layertest.Entry {
		return layertest.Entry{Name: blobPath(layertest.Digest([]byte(content))), Content: content}
	}
	for name, source := range map[string]string{
		"docker": "docker-archive:" + written(t,
			layertest.Entry{Name: "a/layer.tar", Content: string(app)}, layertest.Entry{Name: "c.json", Content: config},
			layertest.Entry{Name: "manifest.json", Content: fmt.Sprintf(
				`[{"Config":"c.json","Layers":["base/layer.tar","a/layer.tar"],"LayerSources":{%q:{"digest":"x","urls":["https://example.org/base"]}}}]`, baseDiff)}),
		"oci": "oci-archive:" + written(t, blob(config), blob(manifest), blob(string(packed)),
			layertest.Entry{Name: "oci-layout", Content: `{"imageLayoutVersion":"1.0.0"}`},
			layertest.Entry{Name: "index.json", Content: fmt.Sprintf(
				`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d}]}`,
				layertest.Digest([]byte(manifest)), len(manifest))}),
	} {
		t.Run(name, func(t *testing.T) {
			r := scanned(t, source)
			if want := (verdict.OS{ID: "windows", Version: windows2022, Name: "Windows " + windows2022}); r.OS != want {
				t.Errorf("got %+v, want %+v", r.OS, want)
			}
			if diff := cmp.Diff([]string{verdict.NoteForeignLayer, verdict.NoteUnsupportedOS, verdict.NoteEcosystemNotCovered}, codes(r)); diff != "" {
				t.Errorf("notes differ (-want +got):\n%s", diff)
			}
			if len(r.Packages) != 1 || r.Packages[0].PURL != "pkg:npm/a@1.0.0" || r.Packages[0].Layer.Index != 1 {
				t.Errorf("got packages %+v", r.Packages)
			}
		})
	}
}

// TestIndexInAnIndex finds the image in an index of an index, which declares
// no platforms, and refuses a third level.
func TestIndexInAnIndex(t *testing.T) {
	plain := layertest.Tar(t, debian()...)
	packed := layertest.Gzip(t, 6, plain)
	var entries []layertest.Entry
	blob := func(content, mediaType string) string {
		digest := layertest.Digest([]byte(content))
		entries = append(entries, layertest.Entry{Name: blobPath(digest), Content: content})
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, digest, len(content))
	}
	const index = "application/vnd.oci.image.index.v1+json"
	indexOf := func(child string) string {
		return blob(fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, index, child), index)
	}
	config := blob(fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[%q]}}`, layertest.Digest(plain)),
		"application/vnd.oci.image.config.v1+json")
	layer := blob(string(packed), "application/vnd.oci.image.layer.v1.tar+gzip")
	inner := indexOf(blob(fmt.Sprintf(`{"schemaVersion":2,"config":%s,"layers":[%s]}`, config, layer), "application/vnd.oci.image.manifest.v1+json"))
	archive := func(top string) string {
		return "oci-archive:" + written(t, append(slices.Clone(entries), layertest.Entry{
			Name: "index.json", Content: fmt.Sprintf(`{"schemaVersion":2,"manifests":[%s]}`, top),
		})...)
	}
	outer := indexOf(inner)
	if r := scanned(t, archive(outer)); len(r.Packages) != 1 {
		t.Errorf("packages %+v", r.Packages)
	}
	if r := scanned(t, archive(inner)); len(r.Packages) != 1 {
		t.Errorf("without the outer one: packages %+v", r.Packages)
	}
	source := archive(indexOf(outer))
	if _, err := Scan(t.Context(), Options{Source: source, Cache: t.TempDir(), Reader: reader(t), Now: time.Now}); err == nil || !strings.Contains(err.Error(), "in each other") {
		t.Errorf("three levels: %v", err)
	}
}

// TestSavedCompressed reads layers that some programs leave compressed.
func TestSavedCompressed(t *testing.T) {
	content := layertest.Tar(t, debian()...)
	config := fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[%q]}}`, layertest.Digest(content))
	for name, blob := range map[string][]byte{"gzip": layertest.Gzip(t, 6, content), "zstd": layertest.Zstd(t, content), "plain": content} {
		r := scanned(t, "docker-archive:"+written(t,
			layertest.Entry{Name: "blobs/sha256/l", Content: string(blob)}, layertest.Entry{Name: "blobs/sha256/c", Content: config},
			layertest.Entry{Name: "manifest.json", Content: `[{"Config":"blobs/sha256/c","Layers":["blobs/sha256/l"]}]`}))
		if len(r.Packages) != 1 || r.OS.ID != "debian" {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

// TestTwoTags finds the one image that lies there under two tags.
func TestTwoTags(t *testing.T) {
	plain := layertest.Tar(t, debian()...)
	config := fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[%q]}}`, layertest.Digest(plain))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},
	  "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`,
		layertest.Digest([]byte(config)), len(config), layertest.Digest(plain), len(plain))
	tagged := func(tag string) string {
		return fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":%q}}`,
			layertest.Digest([]byte(manifest)), len(manifest), tag)
	}
	saved := fmt.Sprintf(`{"Config":%q,"Layers":[%q]}`, blobPath(layertest.Digest([]byte(config))), blobPath(layertest.Digest(plain)))
	path := written(t,
		layertest.Entry{Name: blobPath(layertest.Digest(plain)), Content: string(plain)},
		layertest.Entry{Name: blobPath(layertest.Digest([]byte(config))), Content: config},
		layertest.Entry{Name: blobPath(layertest.Digest([]byte(manifest))), Content: manifest},
		layertest.Entry{Name: "index.json", Content: `{"manifests":[` + tagged("a") + "," + tagged("b") + "]}"},
		layertest.Entry{Name: "manifest.json", Content: "[" + saved + "," + saved + "]"})
	for _, kind := range []string{"oci-archive:", "docker-archive:"} {
		if r := scanned(t, kind+path); len(r.Packages) != 1 {
			t.Errorf("%s packages %+v", kind, r.Packages)
		}
	}
	if img, err := openArchive(t.Context(), path, "linux/amd64"); err != nil {
		t.Errorf("with a platform: %v", err)
	} else if err := img.close(); err != nil {
		t.Error(err)
	}
}

// TestRefused looks at what is no image that could be scanned: each is told so
// in words that help.
func TestRefused(t *testing.T) {
	schema1 := `{"schemaVersion":1,"name":"library/x","tag":"1","architecture":"amd64","fsLayers":[{"blobSum":"` + baseDiff + `"}],"history":[]}`
	digest := layertest.Digest([]byte(schema1))
	for name, tt := range map[string]struct{ source, want string }{
		"schema 1": {"oci-archive:" + written(t, layertest.Entry{Name: blobPath(digest), Content: schema1},
			layertest.Entry{Name: "index.json", Content: `{"manifests":[{"digest":"` + digest + `","size":1}]}`}), "schema 1"},
		"old Docker": {"docker-archive:" + written(t, layertest.Entry{Name: "repositories", Content: "{}"}), "before 1.10"},
		"other":      {"docker-archive:" + written(t, layertest.Entry{Name: "x"}), "oci-archive"},
		"missing layer": {"docker-archive:" + written(t, layertest.Entry{Name: "c", Content: windowsConfig(baseDiff)},
			layertest.Entry{Name: "manifest.json", Content: `[{"Config":"c","Layers":["l","m"]}]`}), "l is not in the archive"},
	} {
		_, err := Scan(t.Context(), Options{Source: tt.source, Cache: t.TempDir(), Reader: reader(t), Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// TestListedFile finds a file of the user's list.
func TestListedFile(t *testing.T) {
	const miner = "#!/bin/sh\necho mining\n"
	known, err := fingerprint.Parse(strings.NewReader(fmt.Sprintf("%x miner 1 critical mines coins", sha256.Sum256([]byte(miner)))))
	if err != nil {
		t.Fatal(err)
	}
	limits := layer.DefaultLimits().WithFingerprints()
	set, err := extract.New(limits.Archives)
	if err != nil {
		t.Fatal(err)
	}
	advisories := t.TempDir()
	writeExport(t, advisories)
	path := saved(t, append(debian(), layertest.Entry{Name: "usr/bin/sshd", Content: miner, Mode: 0o755})...)
	r, err := Scan(t.Context(), Options{
		Source: "docker-archive:" + path, Advisories: advisories, Cache: t.TempDir(), Now: time.Now,
		Reader: layer.NewReader(set, limits), Known: known,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 1 || r.Findings[0].Severity != verdict.Critical || r.Findings[0].Summary != "mines coins" || r.Summary.Critical != 1 {
		t.Errorf("got findings %+v", r.Findings)
	}
	if len(r.Packages) != 2 || r.Packages[1].Evidence != "hash" || r.Packages[1].Location != "usr/bin/sshd" {
		t.Errorf("got packages %+v", r.Packages)
	}
}
