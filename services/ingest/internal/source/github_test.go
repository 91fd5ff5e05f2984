package source

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// gitHubBody is a delivery of a container of acme/web, with its version.
func gitHubBody(version string) string {
	return `{"action":"published","package":{"name":"Web","package_type":"CONTAINER","owner":{"login":"Acme"},"package_version":` + version + `}}`
}

// gitHubImage is a version with its tag, media type and configuration.
func gitHubImage(tag, mediaType, config string) string {
	return `{"name":"` + digestA + `","container_metadata":{"tag":{"name":"` + tag + `"},"manifest":{"digest":"` + digestA +
		`","media_type":"` + mediaType + `","config":{"media_type":"` + config + `"}}}}`
}

func TestGitHub(t *testing.T) {
	const base = `"package_version":{"name":"` + digestA + `","container_metadata":{"tag":{"name":"1"}}}`
	unknown := gist{events.ImagePushed, events.ClassUnknown, "acme/web:1@", ""}
	checkDelivered(t, GitHub{}, []delivered{
		{"image", gitHubBody(gitHubImage("1", ociManifest, ociConfig)), gist{events.ImagePushed, events.ClassImage, "acme/web:1@", ""}},
		{"index", gitHubBody(gitHubImage("1", ociIndex, "")), gist{events.ImagePushed, events.ClassIndex, "acme/web:1@", ""}},
		{"untagged", gitHubBody(gitHubImage("", ociManifest, "")), gist{events.ImagePushed, events.ClassUnknown, "acme/web@", ""}},
		{"chart", gitHubBody(gitHubImage("1", ociManifest, helmConfig)), gist{events.RegistryOther, events.ClassChart, "acme/web:1@", ""}},
		{"signature", gitHubBody(gitHubImage("sha256-"+hexA+".sig", ociManifest, ociConfig)), gist{events.RegistryOther, events.ClassSignature, "acme/web:sha256-" + hexA + ".sig@", ""}},
		{"no word about the container's tag", gitHubBody(`{"name":"1","container_metadata":{}}`), gist{events.ImagePushed, events.ClassUnknown, "acme/web:1", ""}},
		{"attestation", gitHubBody(`{"name":"` + digestA + `","container_metadata":{"tag":{"name":""},"manifest":{"config":{"media_type":"` + ociConfig + `"},"layers":[{"media_type":"application/vnd.in-toto+json"}]}}}`), gist{events.RegistryOther, events.ClassReferrer, "acme/web@", ""}},
		{"no digest", gitHubBody(`{"name":"1","container_metadata":{"tag":{"name":"1"}}}`), gist{events.ImagePushed, events.ClassUnknown, "acme/web:1", ""}},
		{"digest of the manifest only", gitHubBody(`{"name":"sha256:12ab","container_metadata":{"tag":{"name":"1"},"manifest":{"digest":"` + digestA + `"}}}`), unknown},
		{"no word about the container", gitHubBody(`{"version":"1","name":"` + digestA + `"}`), unknown},
		{"text that is no manifest has no digest", gitHubBody(`{"version":"1","manifest":"{\"name\":\"web\"}"}`), gist{events.ImagePushed, events.ClassUnknown, "acme/web:1", ""}},
		{"reference only", gitHubBody(`{"name":"` + digestA + `","package_url":"ghcr.io/acme/web:1"}`), unknown},
		{"untagged reference", gitHubBody(`{"name":"` + digestA + `","package_url":"ghcr.io/acme/web:"}`), gist{events.ImagePushed, events.ClassUnknown, "acme/web@", ""}},
		{"neither tag nor digest", gitHubBody(`{"name":"sha256:12ab","container_metadata":{"tag":{"name":""}}}`), gist{Reason: NoReference}},
		{"no version", gitHubBody(`null`), gist{Reason: NoReference}},
		{"fields of wrong types", `{"action":"published","sender":"x","package":{"id":"x","name":"web","package_type":"docker","updated_at":{},"owner":{"login":"acme"},` +
			`"package_version":{"name":"` + digestA + `","body":{"a":1},"container_metadata":{"tag":{"name":"1"},"labels":[],"manifest":{"size":"big"}}}}}`, unknown},
		{"name of two parts", `{"action":"published","package":{"name":"team/web","package_type":"container","owner":{"login":"acme"},` + base + `}}`, gist{events.ImagePushed, events.ClassUnknown, "acme/team/web:1@", ""}},
		{"namespace for owner", `{"action":"create","package":{"name":"web","namespace":"Acme","ecosystem":"CONTAINER",` + base + `}}`, unknown},
		{"neither type nor ecosystem", `{"action":"updated","package":{"name":"web","owner":{"login":"acme"},` + base + `}}`, unknown},
		{"other key", `{"action":"published","package":null,"registry_package":{"name":"web","package_type":"CONTAINER","owner":{"login":"acme"},` + base + `}}`, unknown},
		{"unknown action", `{"action":"deleted","package":{"name":"web","package_type":"CONTAINER","owner":{"login":"acme"},` + base + `}}`, gist{events.RegistryOther, events.ClassUnknown, "acme/web:1@", ""}},
		{"other package", `{"action":"published","package":{"name":"web","package_type":"npm","ecosystem":"docker","owner":{"login":"acme"},` + base + `}}`, gist{Reason: NotAnImage}},
		{"package of no kind", `{"action":"published","package":{"name":"web","owner":{"login":"acme"},"package_version":{"version":"1.0.0"}}}`, gist{Reason: NotAnImage}},
		{"no owner", `{"action":"published","package":{"name":"web","package_type":"CONTAINER",` + base + `}}`, gist{Reason: NoRepository}},
		{"no name", `{"action":"published","package":{"package_type":"CONTAINER","owner":{"login":"acme"},` + base + `}}`, gist{Reason: NoRepository}},
		{"neither, but a reference", `{"action":"published","package":{"package_type":"CONTAINER","package_version":{"package_url":"ghcr.io/acme/web:1"}}}`, gist{events.ImagePushed, events.ClassUnknown, "acme/web:1", ""}},
	})
}

func TestGitHubFields(t *testing.T) {
	const body = `{"action":"published","package":{"name":"web","package_type":"CONTAINER","owner":{"login":"acme"},"updated_at":"2025-11-03T13:50:26Z",` +
		`"package_version":{"version":"` + digestA + `","updated_at":"0001-01-01T00:00:00Z","package_url":"evil.example/acme/web:2",` +
		`"container_metadata":{"tag":{"name":"1"},"manifest":{"media_type":"` + dockerManifest + `","size":735,"config":{"media_type":"` + dockerConfig + `"}}}}},` +
		`"repository":{"full_name":"acme/source"},"sender":{"login":"alice"}}`
	want := Fact{ID: "d-1", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "acme/web", Tag: "1", Digest: digestA, MediaType: dockerManifest, Action: events.ActionPush,
		Class: events.ClassImage, Actor: "alice", Size: 735, OccurredAt: time.Date(2025, 11, 3, 13, 50, 26, 0, time.UTC), DeliveryID: "d-1",
	}}
	h := http.Header{}
	h.Set("X-Github-Event", "package")
	h.Set("X-Github-Delivery", "d-1")
	checkFacts(t, parsed(t, GitHub{}, h, body), want)
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	checkFacts(t, parsed(t, GitHub{}, h, asForm(body)), want)
}

// In 2019 a delivery held the manifest itself, the tag as version, and the
// package's own time was that of its first version.
func TestGitHubWholeManifest(t *testing.T) {
	manifest := `{"schemaVersion": 2, "mediaType": "` + dockerManifest + `", "config": {"mediaType": "` + dockerConfig + `"}}`
	quoted, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"action":"published","registry_package":{"name":"web","package_type":"docker","owner":{"login":"acme"},"updated_at":"2019-10-11T18:18:58Z",` +
		`"package_version":{"version":"1","updated_at":"2019-11-01T05:30:31Z","manifest":` + string(quoted) + `}}}`
	sum := sha256.Sum256([]byte(manifest))
	checkFacts(t, parsed(t, GitHub{}, http.Header{}, body), Fact{RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "acme/web", Tag: "1", Digest: events.Digest("sha256:" + hex.EncodeToString(sum[:])), MediaType: dockerManifest,
		Action: events.ActionPush, Class: events.ClassImage, Size: int64(len(manifest)), OccurredAt: time.Date(2019, 11, 1, 5, 30, 31, 0, time.UTC),
	}})
}

func TestGitHubOtherEvents(t *testing.T) {
	for event, want := range map[string]Reason{"ping": Ping, "push": UnknownEvent, "workflow_run": UnknownEvent} {
		b := parsed(t, GitHub{}, http.Header{"X-Github-Event": {event}}, `{"zen":"x","repository":{"name":"web"}}`)
		if len(b.Facts) != 0 || len(b.Ignored) != 1 || b.Ignored[0] != want {
			t.Errorf("event %s: %v, want %q", event, b, want)
		}
	}
}

func TestGitHubNotAPayload(t *testing.T) {
	checkRefused(t, GitHub{}, "", "null", "{}", "[]", `"x"`, `{"package":[]}`, `{"package":"x"}`, `{"package":{}`, "payload=%7B%7D")
}

func FuzzGitHub(f *testing.F) {
	f.Add([]byte(gitHubBody(gitHubImage("1", ociManifest, ociConfig))))
	f.Add([]byte(gitHubBody(`{"version":"1","manifest":"{\"mediaType\":\"` + dockerManifest + `\"}","package_url":"ghcr.io/a/b:1@x"}`)))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, GitHub{}, body) })
}
