package harness

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// EnvCatalog is the environment variable that says how many repositories a
// generated catalogue has; without it, tests choose.
const EnvCatalog = "LANDWAITER_CATALOG"

// catalogPage is how many names a list is asked for at a time.
const catalogPage = 100

// Shape says how large a catalogue is.
type Shape struct {
	Repositories int
	Tags         int // of each repository
	Images       int // distinct ones that they lead to, in each repository
}

// ShapeFromEnv is twenty tags of five images in each of as many repositories as
// EnvCatalog says, or as are given.
func ShapeFromEnv(tb testing.TB, repositories int) Shape {
	tb.Helper()
	if text := os.Getenv(EnvCatalog); text != "" {
		var err error
		if repositories, err = strconv.Atoi(text); err != nil || repositories < 1 {
			tb.Fatalf("%s is %q, not a number of repositories", EnvCatalog, text)
		}
	}
	return Shape{Repositories: repositories, Tags: 20, Images: 5}
}

// Catalog is what a registry holds that was filled in one go: images over few
// shared layers, indexes in every fifth repository, an image of its neighbour
// in every fourth, a chart in every tenth. What a sweep has to ask for follows
// from it alone.
type Catalog struct {
	Repositories []string

	tb        testing.TB
	root      string // of the registry's storage
	shape     Shape
	layers    []v1.Descriptor
	diffs     []v1.Hash
	tags      int
	manifests map[string]bool // distinct ones, those in indexes included
	configs   map[string]bool
	images    map[string]bool // distinct ones for one platform
	placed    int             // images, each as often as it lies in a repository
	charts    map[string]bool
	chartTags int
	lists     int    // pages of all lists of tags
	lent      string // manifest of the repository before
}

// Images is how many distinct images for one platform there are.
func (c *Catalog) Images() int { return len(c.images) }

// Tags is how many tags there are.
func (c *Catalog) Tags() int { return c.tags }

// Charts is how many tags lead to what is no image, and to how many.
func (c *Catalog) Charts() (tags, charts int) { return c.chartTags, len(c.charts) }

// Placed is how many images there are, each as often as it lies in a
// repository.
func (c *Catalog) Placed() int { return c.placed }

// Fill writes a catalogue into the registry's storage, which is much quicker
// than pushing it.
func (r *Registry) Fill(tb testing.TB, shape Shape) *Catalog {
	tb.Helper()
	c := &Catalog{
		tb: tb, root: filepath.Join(r.dir, "storage", "docker", "registry", "v2"), shape: shape,
		manifests: map[string]bool{}, configs: map[string]bool{}, images: map[string]bool{}, charts: map[string]bool{},
	}
	const bases = 8
	for n := range bases {
		release := fmt.Sprintf("ID=debian\nVERSION_ID=12\nBUILD_ID=%d\n", n)
		c.layer(Files(tb, map[string]string{"etc/os-release": release, "var/lib/dpkg/status": dpkgStatus(n)}))
	}
	for n := range shape.Repositories {
		c.repository(n)
	}
	return c
}

// dpkgStatus is what dpkg says of a system with a few packages.
func dpkgStatus(n int) string {
	var b strings.Builder
	for _, name := range []string{"bash", "libc6", "zlib1g", "libexpat1"} {
		fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.2.%d-1\n\n", name, n)
	}
	return b.String()
}

func (c *Catalog) layer(layer v1.Layer) {
	c.tb.Helper()
	blob, err := layer.Compressed()
	if err != nil {
		c.tb.Fatalf("layer: %v", err)
	}
	raw, err := io.ReadAll(blob)
	if err != nil {
		c.tb.Fatalf("layer: %v", err)
	}
	diff, err := layer.DiffID()
	if err != nil {
		c.tb.Fatalf("layer: %v", err)
	}
	c.layers = append(c.layers, c.blob(raw, types.OCILayer))
	c.diffs = append(c.diffs, diff)
}

// repository fills one. Its tags lead to its images in turn.
func (c *Catalog) repository(n int) {
	c.tb.Helper()
	name := fmt.Sprintf("team%02d/app-%05d", n%100, n)
	c.Repositories = append(c.Repositories, name)
	var lead []string
	for i := range c.shape.Images {
		switch {
		case i == 0 && n%5 == 1:
			lead = append(lead, c.index(name, n))
		case i == 1 && n%4 == 1:
			c.borrow(name, c.lent)
			lead = append(lead, c.lent)
		case i == 2 && n%10 == 3:
			lead = append(lead, c.chart(name, n))
		default:
			lead = append(lead, c.image(name, fmt.Sprintf("%d.%d", n, i), "amd64", n+i))
		}
	}
	c.lent = lead[len(lead)-1]
	for t := range c.shape.Tags {
		to := lead[t%len(lead)]
		c.tag(name, fmt.Sprintf("v%d", t), to)
		if c.charts[to] {
			c.chartTags++
		}
	}
	c.tags += c.shape.Tags
	c.lists += (c.shape.Tags + catalogPage - 1) / catalogPage
}

func (c *Catalog) image(repository, version, architecture string, n int) string {
	c.tb.Helper()
	base := n % len(c.layers)
	top := (n + 3) % len(c.layers)
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour)
	config := c.blob(c.encode(v1.ConfigFile{
		OS: "linux", Architecture: architecture, Created: v1.Time{Time: created},
		Config:  v1.Config{Labels: map[string]string{"version": version}},
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{c.diffs[base], c.diffs[top]}},
		History: []v1.History{{CreatedBy: "base", Created: v1.Time{Time: created}}, {CreatedBy: "application", Created: v1.Time{Time: created}}},
	}), types.OCIConfigJSON)
	for _, d := range []v1.Descriptor{config, c.layers[base], c.layers[top]} {
		c.link(repository, "_layers", d.Digest.String())
	}
	manifest := c.manifest(repository, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{c.layers[base], c.layers[top]},
	}, types.OCIManifestSchema1)
	c.configs[config.Digest.String()] = true
	c.images[manifest.Digest.String()] = true
	c.placed++
	return manifest.Digest.String()
}

// borrow makes an image of another repository one of this one, too.
func (c *Catalog) borrow(repository, digest string) {
	c.tb.Helper()
	h, err := v1.NewHash(digest)
	if err != nil {
		c.tb.Fatalf("digest: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(c.root, c.data(h)))
	if err != nil {
		c.tb.Fatalf("read manifest: %v", err)
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		c.tb.Fatalf("read manifest: %v", err)
	}
	for _, d := range append(m.Layers, m.Config) {
		c.link(repository, "_layers", d.Digest.String())
	}
	c.link(repository, "_manifests/revisions", digest)
	c.placed++
}

// index is of two images.
func (c *Catalog) index(repository string, n int) string {
	c.tb.Helper()
	var children []v1.Descriptor
	for i, architecture := range []string{"amd64", "arm64"} {
		digest, err := v1.NewHash(c.image(repository, fmt.Sprintf("%d.multi", n), architecture, n+i))
		if err != nil {
			c.tb.Fatalf("digest: %v", err)
		}
		children = append(children, v1.Descriptor{
			MediaType: types.OCIManifestSchema1, Digest: digest, Size: c.size(digest),
			Platform: &v1.Platform{OS: "linux", Architecture: architecture},
		})
	}
	index := c.manifest(repository, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: children}, types.OCIImageIndex)
	return index.Digest.String()
}

// chart is no image.
func (c *Catalog) chart(repository string, n int) string {
	c.tb.Helper()
	config := c.blob(fmt.Appendf(nil, `{"name":"chart-%d","version":"1.0.0","apiVersion":"v2"}`, n), "application/vnd.cncf.helm.config.v1+json")
	c.link(repository, "_layers", config.Digest.String())
	content := c.layers[0]
	content.MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	chart := c.manifest(repository, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{content},
	}, types.OCIManifestSchema1)
	c.charts[chart.Digest.String()] = true
	return chart.Digest.String()
}

func (c *Catalog) manifest(repository string, m any, media types.MediaType) v1.Descriptor {
	c.tb.Helper()
	d := c.blob(c.encode(m), media)
	c.link(repository, "_manifests/revisions", d.Digest.String())
	c.manifests[d.Digest.String()] = true
	return d
}

// Move makes a tag lead to a new image, as a push does that nobody is told of,
// and returns the image's digest.
func (c *Catalog) Move(repository, tag string) string {
	c.tb.Helper()
	digest := c.image(repository, "moved "+tag, "amd64", len(c.images))
	c.tag(repository, tag, digest)
	return digest
}

// Lead makes a tag lead to what another one leads to, and returns its digest.
func (c *Catalog) Lead(repository, tag, other string) string {
	c.tb.Helper()
	raw, err := os.ReadFile(filepath.Join(c.root, "repositories", repository, "_manifests/tags", other, "current/link"))
	if err != nil {
		c.tb.Fatalf("read tag: %v", err)
	}
	c.tag(repository, tag, string(raw))
	return string(raw)
}

func (c *Catalog) tag(repository, tag, digest string) {
	c.tb.Helper()
	c.write(filepath.Join("repositories", repository, "_manifests/tags", tag, "current/link"), []byte(digest))
}

func (c *Catalog) link(repository, kind, digest string) {
	c.tb.Helper()
	algorithm, hexed, _ := strings.Cut(digest, ":")
	c.write(filepath.Join("repositories", repository, kind, algorithm, hexed, "link"), []byte(digest))
}

func (c *Catalog) blob(raw []byte, media types.MediaType) v1.Descriptor {
	c.tb.Helper()
	sum := sha256.Sum256(raw)
	h := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
	c.write(c.data(h), raw)
	return v1.Descriptor{MediaType: media, Digest: h, Size: int64(len(raw))}
}

func (c *Catalog) data(h v1.Hash) string {
	return filepath.Join("blobs", h.Algorithm, h.Hex[:2], h.Hex, "data")
}

func (c *Catalog) size(h v1.Hash) int64 {
	c.tb.Helper()
	info, err := os.Stat(filepath.Join(c.root, c.data(h)))
	if err != nil {
		c.tb.Fatalf("size of blob: %v", err)
	}
	return info.Size()
}

func (c *Catalog) write(name string, content []byte) {
	c.tb.Helper()
	file := filepath.Join(c.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		c.tb.Fatalf("registry storage: %v", err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		c.tb.Fatalf("registry storage: %v", err)
	}
}

func (c *Catalog) encode(v any) []byte {
	c.tb.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		c.tb.Fatalf("encode: %v", err)
	}
	return raw
}

// Asked counts a registry's requests by what they are for.
type Asked struct {
	Catalog, Lists  int // pages
	Heads           int // of tags
	Manifests       int // read
	Configs, Layers int // read
	Others          int // anything else, such as a second look at a digest
}

// Total is how many requests there were.
func (a Asked) Total() int {
	return a.Catalog + a.Lists + a.Heads + a.Manifests + a.Configs + a.Layers + a.Others
}

// Listing is what a sweep asks for that finds nothing new: every page of every
// list, and each tag, unless tags are declared immutable.
func (c *Catalog) Listing(immutable bool) Asked {
	a := Asked{Catalog: (len(c.Repositories) + catalogPage - 1) / catalogPage, Lists: c.lists}
	if !immutable {
		a.Heads = c.tags
	}
	return a
}

// Everything is what the first sweep asks for: the listing, each manifest that
// there is once, wherever it lies, each configuration, and each layer.
func (c *Catalog) Everything() Asked {
	a := c.Listing(false)
	a.Manifests, a.Configs, a.Layers = len(c.manifests), len(c.configs), len(c.layers)
	return a
}

// Asked counts requests. The question whether there is a registry at all, with
// which each client begins, is none.
func (c *Catalog) Asked(requests []Request) Asked {
	var a Asked
	for _, q := range requests {
		if q.Path != "/v2/" {
			*c.kind(q, &a)++
		}
	}
	return a
}

// kind is the count that a request belongs to.
func (c *Catalog) kind(q Request, a *Asked) *int {
	last := q.Path[strings.LastIndexByte(q.Path, '/')+1:]
	byDigest, manifest := strings.HasPrefix(last, "sha256:"), strings.Contains(q.Path, "/manifests/")
	switch {
	case q.Method == http.MethodHead && manifest && !byDigest:
		return &a.Heads
	case q.Method != http.MethodGet:
		return &a.Others
	case strings.HasPrefix(q.Path, "/v2/_catalog"):
		return &a.Catalog
	case strings.Contains(q.Path, "/tags/list"):
		return &a.Lists
	case manifest && byDigest:
		return &a.Manifests
	case c.configs[last]:
		return &a.Configs
	case q.Blob():
		return &a.Layers
	default:
		return &a.Others
	}
}
