package source

import (
	"net/http"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

func giteaBody(action, kind, owner, name, version string) string {
	return `{"action":"` + action + `","repository":null,"package":{"id":17,"owner":{"login":"` + owner + `"},"type":"` + kind + `","name":"` + name +
		`","version":"` + version + `","html_url":"http://evil.example/x","created_at":"2026-11-20T17:20:50Z"},"sender":{"login":"alice"}}`
}

func TestGitea(t *testing.T) {
	checkDelivered(t, Gitea{}, []delivered{
		{"tag", giteaBody("created", "container", "Acme", "Web", "1"), gist{events.ImagePushed, events.ClassUnknown, "acme/web:1", ""}},
		{"untagged", giteaBody("created", "container", "acme", "web", digestA), gist{events.ImagePushed, events.ClassUnknown, "acme/web@", ""}},
		{"name of two parts", giteaBody("created", "container", "acme", "team/web", "1"), gist{events.ImagePushed, events.ClassUnknown, "acme/team/web:1", ""}},
		{"signature", giteaBody("created", "container", "acme", "web", "sha256-"+hexA+".sig"), gist{events.RegistryOther, events.ClassSignature, "acme/web:sha256-" + hexA + ".sig", ""}},
		{"deleted", giteaBody("deleted", "container", "acme", "web", "1"), gist{events.ImageDeleted, "", "acme/web:1", ""}},
		{"unknown action", giteaBody("starred", "container", "acme", "web", "1"), gist{events.RegistryOther, events.ClassUnknown, "acme/web:1", ""}},
		{"no version is not latest", giteaBody("created", "container", "acme", "web", ""), gist{Reason: NoReference}},
		{"deleted without version is not the repository", giteaBody("deleted", "container", "acme", "web", ""), gist{Reason: NoReference}},
		{"other package", giteaBody("created", "go", "acme", "web", "v1"), gist{Reason: NotAnImage}},
		{"no owner", giteaBody("created", "container", "", "web", "1"), gist{Reason: NoRepository}},
		{"no name", giteaBody("created", "container", "acme", "", "1"), gist{Reason: NoRepository}},
		{"fields of wrong types", `{"action":"created","sender":7,"package":{"id":"x","type":"container","name":"web","version":"1","owner":{"id":"x","login":"acme"},"created_at":[]}}`, gist{events.ImagePushed, events.ClassUnknown, "acme/web:1", ""}},
	})
}

func TestGiteaFields(t *testing.T) {
	want := Fact{ID: "d-1", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "acme/web", Tag: "1", Action: events.ActionPush, Class: events.ClassUnknown, Actor: "alice",
		OccurredAt: time.Date(2026, 11, 20, 17, 20, 50, 0, time.UTC), DeliveryID: "d-1",
	}}
	deleted := want
	deleted.Kind, deleted.Action, deleted.Class, deleted.OccurredAt = events.ImageDeleted, events.ActionDelete, "", time.Time{}
	for _, fork := range []string{"X-Gitea-", "X-Forgejo-", "X-Gogs-"} {
		h := http.Header{}
		h.Set(fork+"Delivery", "d-1")
		h.Set("X-Github-Delivery", "other")
		checkFacts(t, parsed(t, Gitea{}, h, giteaBody("created", "container", "acme", "web", "1")), want)
		checkFacts(t, parsed(t, Gitea{}, h, giteaBody("deleted", "container", "acme", "web", "1")), deleted)
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		checkFacts(t, parsed(t, Gitea{}, h, asForm(giteaBody("created", "container", "acme", "web", "1"))), want)
	}
}

func TestGiteaOtherEvents(t *testing.T) {
	b := parsed(t, Gitea{}, http.Header{"X-Gitea-Event": {"push"}, "X-Github-Event": {"package"}}, `{"ref":"refs/heads/main"}`)
	if len(b.Facts) != 0 || len(b.Ignored) != 1 || b.Ignored[0] != UnknownEvent {
		t.Errorf("a push of commits: %v", b)
	}
}

func TestGiteaNotAPayload(t *testing.T) {
	checkRefused(t, Gitea{}, "", "null", "{}", "[]", `{"package":[]}`, `{"package":7}`, "payload=%7B%7D")
}

func FuzzGitea(f *testing.F) {
	f.Add([]byte(giteaBody("created", "container", "acme", "web", "1")))
	f.Add([]byte(giteaBody("deleted", "container", "acme", "web", digestA)))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, Gitea{}, body) })
}
