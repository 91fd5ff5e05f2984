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

// note is one event of an envelope, as the tests write it.
type note struct {
	id, action, mediaType, digest, repository, tag, agent, config, layer string
}

func envelope(tb testing.TB, notes ...note) []byte {
	tb.Helper()
	list := make([]map[string]any, 0, len(notes))
	for _, n := range notes {
		target := map[string]any{"mediaType": n.mediaType, "digest": n.digest, "size": 1234, "repository": n.repository, "tag": n.tag}
		if n.config != "" {
			target["references"] = []map[string]any{{"mediaType": n.config}, {"mediaType": n.layer}}
		}
		list = append(list, map[string]any{
			"id": n.id, "timestamp": "2026-11-20T17:20:50+01:00", "action": n.action, "target": target,
			"request": map[string]any{"host": "evil.example", "useragent": n.agent}, "actor": map[string]any{"name": "alice"},
		})
	}
	raw, err := json.Marshal(map[string]any{"events": list})
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// gist is what the tests compare of a fact.
type gist struct {
	Kind   events.Kind
	Class  events.Class
	Ref    string
	Reason Reason
}

func gists(b Batch) []gist {
	var out []gist
	for _, f := range b.Facts {
		ref := f.Repository
		if f.Tag != "" {
			ref += ":" + f.Tag
		}
		if f.Digest != "" {
			ref += "@"
		}
		out = append(out, gist{Kind: f.Kind, Class: f.Class, Ref: ref})
	}
	for _, r := range b.Ignored {
		out = append(out, gist{Reason: r})
	}
	return out
}

func TestDistribution(t *testing.T) {
	const blob = "application/octet-stream"
	for _, tt := range []struct {
		name string
		in   note
		want gist
	}{
		{"tag pushed", note{action: "push", mediaType: dockerManifest, digest: digestA, repository: "a/b", tag: "1"}, gist{events.ImagePushed, events.ClassUnknown, "a/b:1@", ""}},
		{"child pushed by digest", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b"}, gist{events.ImagePushed, events.ClassUnknown, "a/b@", ""}},
		{"index pushed", note{action: "push", mediaType: ociIndex, digest: digestA, repository: "a/b", tag: "1"}, gist{events.ImagePushed, events.ClassIndex, "a/b:1@", ""}},
		{"list pushed", note{action: "push", mediaType: dockerIndex, digest: digestA, repository: "a/b", tag: "1"}, gist{events.ImagePushed, events.ClassIndex, "a/b:1@", ""}},
		{"references prove an image", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b", tag: "1", config: ociConfig}, gist{events.ImagePushed, events.ClassImage, "a/b:1@", ""}},
		{"references prove a chart", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b", tag: "1", config: helmConfig}, gist{events.RegistryOther, events.ClassChart, "a/b:1@", ""}},
		{"references prove a signature", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b", config: "application/vnd.cncf.notary.signature"}, gist{events.RegistryOther, events.ClassSignature, "a/b@", ""}},
		{"references prove a bill of materials", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b", config: "application/spdx+json"}, gist{events.RegistryOther, events.ClassReferrer, "a/b@", ""}},
		{"references prove an attestation", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b", config: ociConfig, layer: "application/vnd.in-toto+json"}, gist{events.RegistryOther, events.ClassReferrer, "a/b@", ""}},
		{"references prove a signature of layers", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b", config: ociConfig, layer: "application/vnd.dev.cosign.simplesigning.v1+json"}, gist{events.RegistryOther, events.ClassSignature, "a/b@", ""}},
		{"older manifest of no image", note{action: "push", mediaType: orasArtifact, digest: digestA, repository: "a/b"}, gist{events.RegistryOther, events.ClassReferrer, "a/b@", ""}},
		{"manifest of no image", note{action: "push", mediaType: ociArtifact, digest: digestA, repository: "a/b"}, gist{events.RegistryOther, events.ClassReferrer, "a/b@", ""}},
		{"signature pushed", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b", tag: "sha256-" + hexA + ".sig"}, gist{events.RegistryOther, events.ClassSignature, "a/b:sha256-" + hexA + ".sig@", ""}},
		{"referrers pushed", note{action: "push", mediaType: ociIndex, digest: digestA, repository: "a/b", tag: "sha256-" + hexA}, gist{events.RegistryOther, events.ClassReferrer, "a/b:sha256-" + hexA + "@", ""}},
		{"layer pushed", note{action: "push", mediaType: blob, digest: digestA, repository: "a/b"}, gist{events.LayerPushed, events.ClassLayer, "a/b@", ""}},
		{"layer mounted", note{action: "mount", mediaType: blob, digest: digestA, repository: "a/b"}, gist{events.LayerPushed, events.ClassLayer, "a/b@", ""}},
		{"mount is never an image", note{action: "mount", mediaType: ociManifest, digest: digestA, repository: "a/b", tag: "1"}, gist{events.LayerPushed, events.ClassLayer, "a/b@", ""}},
		{"layer without digest", note{action: "push", mediaType: blob, repository: "a/b", tag: "1"}, gist{Reason: NoReference}},
		{"push of nothing", note{action: "push", mediaType: ociManifest, digest: "sha256:xxxx", repository: "a/b"}, gist{Reason: NoReference}},
		{"image pulled", note{action: "pull", mediaType: dockerManifest, digest: digestA, repository: "a/b", tag: "1", agent: "docker/27"}, gist{events.ImagePulled, "", "a/b:1@", ""}},
		{"index pulled", note{action: "pull", mediaType: ociIndex, digest: digestA, repository: "a/b"}, gist{events.ImagePulled, events.ClassIndex, "a/b@", ""}},
		{"signature pulled", note{action: "pull", mediaType: ociManifest, digest: digestA, repository: "a/b", tag: "sha256-" + hexA + ".sig"}, gist{events.RegistryOther, events.ClassSignature, "a/b:sha256-" + hexA + ".sig@", ""}},
		{"layer pulled", note{action: "pull", mediaType: blob, digest: digestA, repository: "a/b"}, gist{Reason: BlobPulled}},
		{"our own pull", note{action: "pull", mediaType: dockerManifest, digest: digestA, repository: "a/b", agent: agent.UserAgent()}, gist{Reason: OwnRequest}},
		{"our own push", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b", agent: agent.UserAgent()}, gist{Reason: OwnRequest}},
		{"tag deleted", note{action: "delete", repository: "a/b", tag: "1"}, gist{events.ImageDeleted, "", "a/b:1", ""}},
		{"digest deleted", note{action: "delete", digest: digestA, repository: "a/b"}, gist{events.ImageDeleted, "", "a/b@", ""}},
		{"repository deleted", note{action: "delete", repository: "a/b"}, gist{events.RepositoryDeleted, "", "a/b", ""}},
		{"deletion of an invalid digest is not of all", note{action: "delete", digest: digestA + "0", repository: "a/b"}, gist{Reason: NoReference}},
		{"deletion of an invalid tag is not of all", note{action: "delete", tag: "<tag>", repository: "a/b"}, gist{Reason: NoReference}},
		{"layer deleted", note{action: "delete", mediaType: blob, digest: digestA, repository: "a/b"}, gist{Reason: BlobDeleted}},
		{"unknown action", note{action: "polish", repository: "a/b", tag: "1"}, gist{events.RegistryOther, events.ClassUnknown, "a/b:1", ""}},
		{"no repository", note{action: "push", mediaType: ociManifest, digest: digestA, repository: "<name>"}, gist{Reason: NoRepository}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := Distribution{}.Parse(nil, envelope(t, tt.in), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]gist{tt.want}, gists(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDistributionFields(t *testing.T) {
	in := note{id: "id-1", action: "push", mediaType: dockerManifest, digest: digestA, repository: "a/b", tag: "1"}
	b, err := Distribution{}.Parse(nil, envelope(t, in), time.Now())
	if err != nil || len(b.Facts) != 1 {
		t.Fatalf("%v, %v", b, err)
	}
	want := Fact{ID: "id-1", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "a/b", Tag: "1", Digest: digestA, MediaType: dockerManifest, Action: events.ActionPush,
		Class: events.ClassUnknown, Actor: "alice", Size: 1234, OccurredAt: time.Date(2026, 11, 20, 16, 20, 50, 0, time.UTC), DeliveryID: "id-1",
	}}
	if diff := cmp.Diff(want, b.Facts[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDistributionWithoutUsableID(t *testing.T) {
	parse := func(n note) string {
		n.id = zeroID
		b, err := Distribution{}.Parse(nil, envelope(t, n), time.Now())
		if err != nil || len(b.Facts) != 1 {
			t.Fatalf("%v, %v", b, err)
		}
		return b.Facts[0].ID
	}
	one := note{action: "delete", repository: "a/b", tag: "1"}
	other := note{action: "delete", repository: "a/b", tag: "2"}
	if first, again := parse(one), parse(one); first != again {
		t.Error("one fact has two ids")
	}
	if parse(one) == parse(other) {
		t.Error("two facts have one id")
	}
}

func TestDistributionBatchBearsABrokenEvent(t *testing.T) {
	body := `{"events":[{"id":7},null,"x",{"id":"ok","action":"delete","target":{"repository":"a/b","tag":"1","size":"many"}},` +
		`{"id":"ok","action":"delete","target":{"repository":"a/b","tag":"1"}}]}`
	b, err := Distribution{}.Parse(nil, []byte(body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	deleted := gist{Kind: events.ImageDeleted, Ref: "a/b:1"}
	if diff := cmp.Diff([]gist{deleted, deleted}, gists(b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var aside []string
	for _, odd := range b.Odd {
		aside = append(aside, string(odd.Body))
	}
	if diff := cmp.Diff([]string{`{"events":[{"id":7}]}`, `{"events":[null]}`, `{"events":["x"]}`}, aside); diff != "" {
		t.Errorf("set aside (-want +got):\n%s", diff)
	}
}

func TestDistributionNotAnEnvelope(t *testing.T) {
	for _, body := range []string{"", "null", "{}", "[]", `{"events":{}}`, "<xml/>", `{"events":[`, strings.Repeat("[", 20000)} {
		if b, err := (Distribution{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %.20q: %v, no error", body, b)
		}
	}
}

func FuzzDistribution(f *testing.F) {
	f.Add(envelope(f, note{id: "1", action: "push", mediaType: ociManifest, digest: digestA, repository: "a/b", tag: "1"}))
	f.Add(envelope(f, note{action: "delete", repository: "a/b"}, note{action: "mount", digest: digestA, repository: "a/b"}))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, Distribution{}, body) })
}

// checkValid fails if a body leads to a fact that is no valid event.
func checkValid(t *testing.T, s Source, body []byte) {
	t.Helper()
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	b, err := s.Parse(http.Header{}, body, now)
	if err != nil {
		return
	}
	for _, fact := range b.Facts {
		fact.Registry, fact.Host, fact.Source, fact.ReceivedAt = "hub", "docker.io", "test", now
		if _, err := events.New(fact.RegistryEvent, events.Meta{ID: "hub/x" + fact.ID, Source: "ingest/hub", Time: now}); err != nil {
			t.Errorf("body %q gives no valid event: %v", body, err)
		}
	}
}
