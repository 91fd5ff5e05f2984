package source

import (
	"net/http"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

func nexusComponent(action, format, name, version string) string {
	return `{"timestamp":"2026-11-20T17:20:50.345+0000","nodeId":"N","initiator":"alice/10.0.0.7","repositoryName":"hosted","action":"` + action +
		`","component":{"id":"1","format":"` + format + `","name":"` + name + `","group":"ignored","version":"` + version + `"}}`
}

func nexusAsset(action, format, name string) string {
	return `{"timestamp":"2026-11-20T17:20:50.345+0000","initiator":"*TASK","repositoryName":"hosted","action":"` + action +
		`","asset":{"id":"1","format":"` + format + `","name":"` + name + `"}}`
}

func TestNexus(t *testing.T) {
	tagged := gist{events.ImagePushed, events.ClassUnknown, "team/web:1", ""}
	checkDelivered(t, Nexus{}, []delivered{
		{"component", nexusComponent("CREATED", "docker", "team/web", "1"), tagged},
		{"component without a tag", nexusComponent("CREATED", "docker", "team/web", digestA), gist{events.ImagePushed, events.ClassUnknown, "team/web@", ""}},
		{"component pushed again", nexusComponent("UPDATED", "docker", "team/web", "1"), tagged},
		{"component deleted", nexusComponent("DELETED", "docker", "team/web", "1"), gist{events.ImageDeleted, "", "team/web:1", ""}},
		{"component with an unknown action", nexusComponent("PURGED", "docker", "team/web", "1"), gist{events.RegistryOther, events.ClassUnknown, "team/web:1", ""}},
		{"component without a version", nexusComponent("CREATED", "docker", "team/web", ""), gist{Reason: NoReference}},
		{"component of another format", nexusComponent("CREATED", "helm", "team/web", "1"), gist{Reason: NotAnImage}},
		{"signature", nexusComponent("CREATED", "docker", "web", "sha256-"+hexA+".sig"), gist{events.RegistryOther, events.ClassSignature, "web:sha256-" + hexA + ".sig", ""}},
		{"asset", nexusAsset("CREATED", "docker", "v2/team/web/manifests/1"), tagged},
		{"asset with a leading slash", nexusAsset("UPDATED", "docker", "/v2/team/web/manifests/1"), tagged},
		{"asset by digest", nexusAsset("CREATED", "docker", "v2/web/manifests/"+digestA), gist{events.ImagePushed, events.ClassUnknown, "web@", ""}},
		{"asset deleted", nexusAsset("DELETED", "docker", "v2/web/manifests/1"), gist{events.ImageDeleted, "", "web:1", ""}},
		{"image called manifests", nexusAsset("CREATED", "docker", "v2/a/manifests/b/manifests/1"), gist{events.ImagePushed, events.ClassUnknown, "a/manifests/b:1", ""}},
		{"shared layer", nexusAsset("CREATED", "docker", "v2/-/blobs/"+digestA), gist{Reason: NotAnImage}},
		{"layer", nexusAsset("CREATED", "docker", "v2/web/blobs/"+digestA), gist{Reason: NotAnImage}},
		{"asset of another format", nexusAsset("CREATED", "npm", "v2/web/manifests/1"), gist{Reason: NotAnImage}},
		{"name that is none", nexusComponent("CREATED", "docker", "<name>", "1"), gist{Reason: NoRepository}},
		{"fields of wrong types", `{"timestamp":{},"initiator":7,"repositoryName":[],"action":"CREATED","asset":null,"component":{"id":7,"group":{},"format":"docker","name":"team/web","version":"1"}}`, tagged},
	})
}

func TestNexusRepositories(t *testing.T) {
	checkDelivered(t, Nexus{Repositories: map[string]string{"hosted": "proxy"}}, []delivered{
		{"prefix", nexusComponent("CREATED", "docker", "web", "1"), gist{events.ImagePushed, events.ClassUnknown, "proxy/web:1", ""}},
	})
	checkDelivered(t, Nexus{Repositories: map[string]string{"hosted": ""}}, []delivered{
		{"no prefix", nexusComponent("CREATED", "docker", "web", "1"), gist{events.ImagePushed, events.ClassUnknown, "web:1", ""}},
	})
	checkDelivered(t, Nexus{Repositories: map[string]string{"other": ""}}, []delivered{
		{"not configured", nexusComponent("CREATED", "docker", "web", "1"), gist{Reason: OtherRepository}},
	})
}

func TestNexusFields(t *testing.T) {
	h := http.Header{}
	h.Set("X-Nexus-Webhook-Id", "rm:repository:component")
	h.Set("X-Nexus-Webhook-Delivery", "d-1")
	want := Fact{ID: "d-1", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "web", Tag: "1", Action: events.ActionPush, Class: events.ClassUnknown, Actor: "alice",
		OccurredAt: time.Date(2026, 11, 20, 17, 20, 50, 345e6, time.UTC), DeliveryID: "d-1",
	}}
	checkFacts(t, parsed(t, Nexus{}, h, nexusComponent("CREATED", "docker", "web", "1")), want)
	want.Actor = "*TASK"
	checkFacts(t, parsed(t, Nexus{}, h, nexusAsset("CREATED", "docker", "v2/web/manifests/1")), want)
}

func TestNexusOtherWebhooks(t *testing.T) {
	b := parsed(t, Nexus{}, http.Header{"X-Nexus-Webhook-Id": {"rm:audit"}}, `{"nodeId":"N","audit":{"domain":"x"}}`)
	if len(b.Facts) != 0 || len(b.Ignored) != 1 || b.Ignored[0] != UnknownEvent {
		t.Errorf("an audit: %v", b)
	}
}

func TestNexusNotAPayload(t *testing.T) {
	checkRefused(t, Nexus{}, "", "null", "{}", "[]", `{"component":[]}`, `{"asset":"x"}`, "<xml/>")
}

func FuzzNexus(f *testing.F) {
	f.Add([]byte(nexusComponent("CREATED", "docker", "web", "1")))
	f.Add([]byte(nexusAsset("DELETED", "docker", "/v2/web/manifests/"+digestA)))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, Nexus{}, body) })
}
