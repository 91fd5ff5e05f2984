package source

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/agent"
)

// zotBody is the data of an event, with the manifest as zot embeds it.
func zotBody(tb testing.TB, reference, mediaType, manifest, userAgent string) []byte {
	tb.Helper()
	d := map[string]any{"name": "team/web", "reference": reference, "digest": digestA, "mediaType": mediaType}
	if manifest != "" {
		d["manifest"] = manifest
	}
	if userAgent != "" {
		d["request"] = map[string]any{"addr": "192.0.2.1:5", "method": "PUT", "useragent": userAgent}
		d["actor"] = map[string]any{"name": "alice"}
	}
	raw, err := json.Marshal(d)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func zotHeader(kind string) http.Header {
	return http.Header{
		"Content-Type": {"application/json"}, "Ce-Specversion": {"1.0"}, "Ce-Id": {"z-1"}, "Ce-Source": {"zotregistry.dev"},
		"Ce-Type": {"zotregistry." + kind}, "Ce-Time": {"2026-10-01T10:00:00.5Z"},
	}
}

func TestZot(t *testing.T) {
	const (
		updated = "image.updated"
		plain   = `{"config":{"mediaType":"` + ociConfig + `"}}`
		wrong   = `{"config":7,"subject":"x","artifactType":[]}`
	)
	for _, tt := range []struct {
		name, kind, reference, mediaType, manifest, agent string
		want                                              gist
	}{
		{"image", updated, "1", ociManifest, plain, "docker/27", gist{events.ImagePushed, events.ClassImage, "team/web:1@", ""}},
		{"child by digest", updated, digestA, ociManifest, plain, "", gist{events.ImagePushed, events.ClassImage, "team/web@", ""}},
		{"index", updated, "1", ociIndex, `{"manifests":[]}`, "", gist{events.ImagePushed, events.ClassIndex, "team/web:1@", ""}},
		{"chart", updated, "1", ociManifest, `{"config":{"mediaType":"` + helmConfig + `"}}`, "", gist{events.RegistryOther, events.ClassChart, "team/web:1@", ""}},
		{"referrer", updated, digestA, ociManifest, `{"config":{"mediaType":"` + ociConfig + `"},"subject":{"digest":"x"}}`, "", gist{events.RegistryOther, events.ClassReferrer, "team/web@", ""}},
		{"index that refers", updated, digestA, ociIndex, `{"subject":{"digest":"x"}}`, "", gist{events.RegistryOther, events.ClassReferrer, "team/web@", ""}},
		{"no subject", updated, "1", ociManifest, `{"config":{"mediaType":"` + ociConfig + `"},"subject":null}`, "", gist{events.ImagePushed, events.ClassImage, "team/web:1@", ""}},
		{"signature by its artifact type", updated, digestA, ociManifest, `{"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","subject":{}}`, "", gist{events.RegistryOther, events.ClassSignature, "team/web@", ""}},
		{"signature by its configuration", updated, digestA, ociManifest, `{"config":{"mediaType":"application/vnd.cncf.notary.signature"}}`, "", gist{events.RegistryOther, events.ClassSignature, "team/web@", ""}},
		{"signature by its tag", updated, "sha256-" + hexA + ".sig", ociManifest, plain, "", gist{events.RegistryOther, events.ClassSignature, "team/web:sha256-" + hexA + ".sig@", ""}},
		{"statement", updated, "1", ociManifest, `{"artifactType":"application/spdx+json"}`, "", gist{events.RegistryOther, events.ClassReferrer, "team/web:1@", ""}},
		{"attestation by its layers", updated, digestA, ociManifest, `{"config":{"mediaType":"` + ociConfig + `"},"layers":[{"mediaType":"application/vnd.in-toto+json"},{"mediaType":"application/vnd.in-toto+json"}]}`, "", gist{events.RegistryOther, events.ClassReferrer, "team/web@", ""}},
		{"image with a statement in it", updated, "1", ociManifest, `{"config":{"mediaType":"` + ociConfig + `"},"layers":[{"mediaType":"application/vnd.in-toto+json"},{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"}]}`, "", gist{events.ImagePushed, events.ClassImage, "team/web:1@", ""}},
		{"manifest of no image", updated, digestA, orasArtifact, `{"artifactType":"application/vnd.example"}`, "", gist{events.RegistryOther, events.ClassReferrer, "team/web@", ""}},
		{"artifact of an unknown type", updated, "1", ociManifest, `{"artifactType":"application/vnd.example"}`, "", gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"manifest not readable", updated, "1", ociManifest, "{", "", gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"manifest of wrong types", updated, "1", ociManifest, wrong, "", gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"no manifest", updated, "1", ociManifest, "", "", gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"our own push", updated, "1", ociManifest, plain, agent.UserAgent(), gist{Reason: OwnRequest}},
		{"tag deleted", "image.deleted", "1", ociManifest, "", "", gist{events.ImageDeleted, "", "team/web:1@", ""}},
		{"digest deleted", "image.deleted", digestA, ociManifest, "", "", gist{events.ImageDeleted, "", "team/web@", ""}},
		{"scanned", "image.scanned", "1", ociManifest, "", "", gist{events.RegistryOther, events.ClassUnknown, "team/web:1@", ""}},
		{"refused by lint", "image.lint_failed", "1", ociManifest, plain, "", gist{events.RegistryOther, events.ClassImage, "team/web:1@", ""}},
		{"type of later", "image.polished", "1", ociManifest, "", "", gist{events.RegistryOther, events.ClassUnknown, "team/web:1@", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := one(t, Zot{}, zotHeader(tt.kind), zotBody(t, tt.reference, tt.mediaType, tt.manifest, tt.agent))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestZotRepository(t *testing.T) {
	got, _ := one(t, Zot{}, zotHeader("repository.created"), []byte(`{"name":"team/web"}`))
	if want := (gist{Kind: events.RepositoryCreated, Ref: "team/web"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	for kind, want := range map[string]Reason{"repository.created": NoRepository, "image.updated": NoRepository, "image.scanned": NotAnImage} {
		if got, _ := one(t, Zot{}, zotHeader(kind), []byte(`{"name":"<name>"}`)); got.Reason != want {
			t.Errorf("%s without a repository: got %v", kind, got)
		}
	}
	if got, _ := one(t, Zot{}, zotHeader("image.deleted"), []byte(`{"name":"a","digest":"sha256:1"}`)); got.Reason != NoReference {
		t.Errorf("deletion of nothing valid: got %v", got)
	}
}

// TestZotModes: the same event must be the same fact over HTTP and from NATS.
func TestZotModes(t *testing.T) {
	data := zotBody(t, "1", ociManifest, `{"config":{"mediaType":"`+ociConfig+`"}}`, "docker/27")
	want := Fact{ID: "z-1", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "team/web", Tag: "1", Digest: digestA, MediaType: ociManifest, Action: events.ActionPush,
		Class: events.ClassImage, Actor: "alice", OccurredAt: time.Date(2026, 10, 1, 10, 0, 0, 500_000_000, time.UTC), DeliveryID: "z-1",
	}}
	structured := `{"specversion":"1.0","id":"z-1","source":"zotregistry.dev","type":"zotregistry.image.updated","time":"2026-10-01T10:00:00.5Z","channel":"ci","data":` + string(data) + `}`
	for name, tt := range map[string]struct {
		h    http.Header
		body string
	}{
		"binary":     {zotHeader("image.updated"), string(data)},
		"structured": {nil, structured},
		"list":       {nil, "[" + structured + "]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, b := one(t, Zot{}, tt.h, []byte(tt.body))
			if diff := cmp.Diff(want, b.Facts[0]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestZotNotAnEvent(t *testing.T) {
	for _, body := range []string{"", "7", "null", "{}", `{"type":"zotregistry.image.updated"}`, `{"type":"zotregistry.image.updated","data":[]}`, strings.Repeat("[", 20000)} {
		if b, err := (Zot{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %.40q: %v, no error", body, b)
		}
	}
	if b, err := (Zot{}).Parse(zotHeader("image.updated"), []byte("7"), time.Now()); err == nil {
		t.Errorf("binary event: %v, no error", b)
	}
}

func FuzzZot(f *testing.F) {
	data := string(zotBody(f, "1", ociManifest, `{"config":{"mediaType":"`+ociConfig+`"},"subject":{}}`, "docker/27"))
	for _, kind := range []string{"image.updated", "image.deleted", "repository.created"} {
		f.Add([]byte(`{"id":"1","type":"zotregistry.` + kind + `","time":"2026-10-01T10:00:00Z","data":` + data + `}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, Zot{}, body) })
}
