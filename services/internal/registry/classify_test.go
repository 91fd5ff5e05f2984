package registry_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/registry"
)

// desc is a descriptor of a media type, in JSON, with more keys.
func desc(mediaType string, more ...string) string {
	return `{"digest":"` + digest + `","size":2,"mediaType":"` + mediaType + `"` + strings.Join(append([]string{""}, more...), ",") + `}`
}

func TestClassify(t *testing.T) {
	const (
		ociConfig = "application/vnd.oci.image.config.v1+json"
		ociLayer  = "application/vnd.oci.image.layer.v1.tar+gzip"
		inToto    = "application/vnd.in-toto+json"
	)
	image := func(config string, layers ...string) string {
		return `{"schemaVersion":2,"config":` + desc(config) + `,"layers":[` + strings.Join(layers, ",") + `]}`
	}
	tests := []struct {
		name, raw, mediaType string
		want                 registry.Class
	}{
		{"OCI image", image(ociConfig, desc(ociLayer)), "", registry.Image},
		{"Docker image", image("application/vnd.docker.container.image.v1+json"), "", registry.Image},
		{"old Docker image", image("application/octet-stream", desc("application/vnd.docker.image.rootfs.diff.tar.gzip")), "", registry.Image},
		{"index", `{"manifests":[` + desc("x") + `]}`, "", registry.Index},
		{"empty index", `{"manifests":[]}`, "application/vnd.oci.image.index.v1+json", registry.Index},
		{"chart", image("application/vnd.cncf.helm.config.v1+json"), "", registry.Chart},
		{"cosign", image(ociConfig, desc("application/vnd.dev.cosign.simplesigning.v1+json")), "", registry.Signature},
		{"notary", `{"artifactType":"application/vnd.cncf.notary.signature","config":` + desc("application/vnd.oci.empty.v1+json") + `,"subject":` + desc("") + `}`, "", registry.Signature},
		{"BuildKit attestation", image(ociConfig, desc(inToto)), "", registry.Signature},
		{"SBOM", `{"artifactType":"application/spdx+json","subject":` + desc("") + `}`, "", registry.Referrer},
		{"schema 1", `{"schemaVersion":1,"fsLayers":[]}`, "application/vnd.docker.distribution.manifest.v1+prettyjws", registry.Unknown},
		{"artifact", `{"artifactType":"application/vnd.wasm"}`, "", registry.Unknown},
		{"plugin", image("application/vnd.docker.plugin.v1+json"), "", registry.Unknown},
		{"nothing", `{}`, "", registry.Unknown},
	}
	for _, tt := range tests {
		got, err := registry.Classify([]byte(tt.raw), tt.mediaType)
		if err != nil || got.Class != tt.want || (got.Reason != "") != (tt.want == registry.Unknown) {
			t.Errorf("%s: got %+v, %v, want %s", tt.name, got, err, tt.want)
		}
	}
	for name, raw := range map[string]string{
		"not JSON":       `{`,
		"two readings":   `{"manifests":[` + desc("x") + `],"layers":[` + desc("x") + `]}`,
		"bad digest":     `{"layers":[{"digest":"md5:0"}]}`,
		"negative size":  `{"layers":[{"digest":"` + digest + `","size":-1}]}`,
		"bad subject":    `{"subject":{}}`,
		"bad entry":      `{"manifests":[{}]}`,
		"too many":       `{"layers":[` + strings.TrimSuffix(strings.Repeat(desc("x")+",", 1001), ",") + `]}`,
		"too long":       strings.Repeat(" ", 5<<20),
		"string as size": `{"config":{"digest":"` + digest + `","size":"2"}}`,
	} {
		if _, err := registry.Classify([]byte(raw), ""); !errors.Is(err, registry.ErrInvalid) && !errors.Is(err, registry.ErrTooLarge) {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
}

func TestClassifyParts(t *testing.T) {
	raw := `{"manifests":[` + strings.Join([]string{
		desc("a", `"platform":{"os":"linux","architecture":"arm64","variant":"v8"}`),
		desc("a", `"platform":{"os":"windows","architecture":"amd64","os.version":"10.0.1"}`),
		desc("a", `"platform":{"os":"unknown","architecture":"unknown"}`),
		desc("a", `"annotations":{"vnd.docker.reference.type":"attestation-manifest"}`),
	}, ",") + `]}`
	m, err := registry.Classify([]byte(raw), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range m.Children {
		s := c.Platform.String() + " " + c.OSVersion
		if c.Attestation {
			s += " attestation"
		}
		got = append(got, s)
	}
	want := []string{"linux/arm64/v8 ", "windows/amd64 10.0.1", "unknown/unknown  attestation", "/  attestation"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got(-) want(+):\n%s", diff)
	}
	raw = `{"config":` + desc("application/vnd.oci.image.config.v1+json") + `,"layers":[` + strings.Join([]string{
		desc("plain"), desc("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), desc("plain", `"urls":["https://x"]`),
	}, ",") + `]}`
	if m, err = registry.Classify([]byte(raw), ""); err != nil {
		t.Fatal(err)
	}
	if m.Layers[0].Foreign || !m.Layers[1].Foreign || !m.Layers[2].Foreign || m.Config.Size != 2 {
		t.Errorf("got %+v", m)
	}
}

func TestParseConfig(t *testing.T) {
	const head = `{"os":"linux","architecture":"amd64","created":"2026-02-03T04:05:06.7+01:00","rootfs":{"diff_ids":["` + digest + `","` + digest + `"]},"history":[`
	got, err := registry.ParseConfig([]byte(head + `{"created_by":"one"},{"created_by":"env","empty_layer":true},{"created_by":"two"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.CreatedBy, []string{"one", "two"}); diff != "" {
		t.Errorf("got(-) want(+):\n%s", diff)
	}
	if want := time.Date(2026, 2, 3, 3, 5, 6, 7e8, time.UTC); !got.Created.Equal(want) || got.Platform.String() != "linux/amd64" {
		t.Errorf("got %s, %s", got.Created, got.Platform)
	}
	for _, history := range []string{`]}`, `{"created_by":"x"}]}`, `{},{},{}]}`} {
		got, err := registry.ParseConfig([]byte(head + history))
		if err != nil || strings.Join(got.CreatedBy, "") != "" || len(got.CreatedBy) != 2 {
			t.Errorf("%s: got %q, %v, want two blanks", history, got.CreatedBy, err)
		}
	}
	for _, created := range []string{"", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "yesterday"} {
		got, err := registry.ParseConfig([]byte(`{"created":"` + created + `"}`))
		if err != nil || !got.Created.IsZero() {
			t.Errorf("created %q: got %s, %v, want unknown", created, got.Created, err)
		}
	}
	for _, bad := range []string{"", "[]", `{"rootfs":{"diff_ids":["x"]}}`, strings.Repeat(" ", 9<<20)} {
		if _, err := registry.ParseConfig([]byte(bad)); err == nil {
			t.Errorf("%.20q: got no error", bad)
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte(`{"manifests":[`+desc("x", `"platform":{}`)+`]}`), "application/json")
	f.Add([]byte(`{"config":`+desc("application/vnd.oci.image.config.v1+json")+`,"layers":[`+desc("y")+`]}`), "")
	f.Fuzz(func(t *testing.T, raw []byte, mediaType string) {
		m, err := registry.Classify(raw, mediaType)
		if err == nil && (m.Class == "" || m.Class == registry.Unknown && m.Reason == "") {
			t.Errorf("got %+v", m)
		}
	})
}

func TestParseConfigSystem(t *testing.T) {
	for written, want := range map[string]string{
		``: "linux", `"os":""`: "linux", `"os":"linux"`: "linux", `"os":" Windows"`: "windows", `"os":"freebsd"`: "freebsd",
		`"os":"lin ux"`: "", `"os":"linux.worker"`: "", `"os":"` + strings.Repeat("a", 40) + `"`: "",
	} {
		c, err := registry.ParseConfig([]byte("{" + written + "}"))
		if c.Platform.OS != want || (want == "") != errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s is %q, %v, want %q", written, c.Platform.OS, err, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"os":"linux","rootfs":{"diff_ids":["` + digest + `"]},"history":[{"created_by":"x"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := registry.ParseConfig(raw); err == nil && len(c.CreatedBy) != len(c.DiffIDs) {
			t.Errorf("got %d lines for %d layers", len(c.CreatedBy), len(c.DiffIDs))
		}
	})
}
