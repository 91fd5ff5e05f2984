package source

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// hubPushed is a delivery of Docker Hub's.
const hubPushed = `{"push_data":{"tag":"1"},"repository":{"repo_name":"a/b"}}`

// of is the format of a registry, as deliveries are read in it.
func of(tb testing.TB, kind config.RegistryType, address string) Source {
	tb.Helper()
	mapping := flat()
	n, err := For(config.Registry{Name: "r", Type: kind, Address: address, Webhook: config.Webhook{Mapping: &mapping}})
	if err != nil {
		tb.Fatal(err)
	}
	return n.Source
}

func packed(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func TestSentBodies(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	zipped := packed(t, hubPushed)
	for _, tt := range []struct {
		name, body string
		understood bool
	}{
		{"as it is", hubPushed, true},
		{"with a mark before it", mark + hubPushed, true},
		{"packed", zipped, true},
		{"packed with a mark", packed(t, mark+hubPushed), true},
		{"packed and cut off", zipped[:len(zipped)-9], false},
		{"packed in name only", zipped[:2], false},
		{"packed and large", packed(t, hubPushed+strings.Repeat(" ", mostUnpacked-len(hubPushed))), true},
		{"packed and too large", packed(t, hubPushed+strings.Repeat(" ", mostUnpacked)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := of(t, config.DockerHub, "").Parse(http.Header{}, []byte(tt.body), time.Now())
			if err == nil != tt.understood || tt.understood && len(b.Facts) != 1 {
				t.Errorf("got %v, %v", gists(b), err)
			}
		})
	}
}

// TestOfficialImages: whoever tells of Docker Hub may leave library out.
func TestOfficialImages(t *testing.T) {
	data := `{"repository":"web","tag":"1"}`
	for _, tt := range []struct {
		kind          config.RegistryType
		address, body string
		want          string
	}{
		{config.DockerHub, "", strings.Replace(hubPushed, "a/b", "web", 1), "library/web:1"},
		{config.CloudEvents, "docker.io", ce("image.pushed", data), "library/web:1"},
		{config.Generic, "docker.io", `{"what":"push","image":` + data + `}`, "library/web:1"},
		{config.OCI, "docker.io", `{"events":[{"action":"delete","target":` + data + `}]}`, "library/web:1"},
		{config.CloudEvents, "docker.io", ce("image.pushed", `{"repository":"a/b","tag":"1"}`), "a/b:1"},
		{config.CloudEvents, "docker.io.example", ce("image.pushed", data), "web:1"},
		{config.OCI, "registry.example:5000", `{"events":[{"action":"delete","target":` + data + `}]}`, "web:1"},
	} {
		if got, _ := one(t, of(t, tt.kind, tt.address), http.Header{}, []byte(tt.body)); got.Ref != tt.want {
			t.Errorf("%s at %q: got %s, want %s", tt.kind, tt.address, got.Ref, tt.want)
		}
	}
}

// TestUselessIsKept: what tells of an image and not of which one is not
// ignored, as that is what is lost without a trace.
func TestUselessIsKept(t *testing.T) {
	const host = "registry.example"
	for _, tt := range []struct {
		name string
		kind config.RegistryType
		body string
		kept bool
	}{
		{"no repository", config.DockerHub, `{"push_data":{"tag":"1"},"repository":{}}`, true},
		{"tag that is none", config.Quay, quayBody(`"updated_tags":["<tag>"]`), true},
		{"no contents", config.MSR, msrBody("TAG_PUSH", ""), true},
		{"no resources", config.Harbor, harborBody("PUSH_ARTIFACT", harborRepo), true},
		{"masked digest", config.ACR, acrBody("push", `"repository":"a","digest":"sha256:xxxx"`), true},
		{"one event", config.OCI, `{"events":[{"action":"push","target":{"repository":"a//b","tag":"1"}}]}`, true},
		{"mapped to nothing valid", config.Generic, `{"what":"push","image":{"repository":"<name>","tag":"1"}}`, true},
		{"not mapped at all", config.Generic, `{"what":"build"}`, false},
		{"about no image", config.MSR, msrBody("POLL_MIRRORING", `"error":"x"`), false},
		{"ping", config.ACR, `{"action":"ping"}`, false},
		{"no events", config.OCI, `{"events":[]}`, false},
		{"nothing", config.OCI, " \n", false},
		{"usable", config.DockerHub, hubPushed, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := host
			if tt.kind == config.DockerHub {
				address = ""
			}
			if b, err := of(t, tt.kind, address).Parse(http.Header{}, []byte(tt.body), time.Now()); err != nil != tt.kept {
				t.Errorf("got %v, %v", gists(b), err)
			}
		})
	}
}

// TestUselessMembersAreKept: without those that can be used.
func TestUselessMembersAreKept(t *testing.T) {
	deleted := []gist{{Kind: events.ImageDeleted, Ref: "team/web:1@"}}
	useless := acrBody("push", `"repository":"<name>","tag":"1"`)
	list := gridList(gridSchema("ImagePushed", "g-1", useless), gridSchema("ImageDeleted", "g-2", acrBody("delete", acrTagged)))
	b := parsed(t, of(t, config.ACR, "registry.example"), http.Header{}, list)
	if diff := cmp.Diff(deleted, gists(b)); diff != "" || len(b.Odd) != 1 || !strings.Contains(string(b.Odd[0].Body), "g-1") {
		t.Errorf("odd %v, (-want +got):\n%s", b.Odd, diff)
	}
}

func FuzzSent(f *testing.F) {
	f.Add([]byte(packed(f, hubPushed)))
	f.Add([]byte("\xef\xbb\xbf" + hubPushed))
	hub := of(f, config.DockerHub, "")
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, hub, body) })
}
