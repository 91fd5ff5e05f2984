package source

import (
	"net/http"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// GitLab's registry says more than Distribution about who did it, knows an
// action more, and leaves keys blank that others leave out.
func TestDistributionOfGitLab(t *testing.T) {
	event := func(action, target string) string {
		return `{"events":[{"id":"e-1","timestamp":"2026-11-20T17:21:09.93Z","action":"` + action + `","target":` + target +
			`,"request":{"host":"evil.example","useragent":"docker/27"},"actor":{"name":"alice","user_type":"personal_access_token","user":{"id":7}},"source":{"addr":"x:5000"}}]}`
	}
	checkDelivered(t, Distribution{}, []delivered{
		{"tag deleted", event("delete", `{"repository":"group/project/web","tag":"1","mediaType":"","digest":"","size":0}`), gist{events.ImageDeleted, "", "group/project/web:1", ""}},
		{"digest deleted", event("delete", `{"repository":"group/project/web","tag":"","digest":"`+digestA+`"}`), gist{events.ImageDeleted, "", "group/project/web@", ""}},
		{"repository deleted", event("delete", `{"repository":"group/project/web","tag":"","digest":""}`), gist{events.RepositoryDeleted, "", "group/project/web", ""}},
		{"repository renamed", event("rename", `{"repository":"group/project/web","rename":{"type":"name","from":"group/project/web","to":"group/project/app"}}`), gist{events.RegistryOther, events.ClassUnknown, "group/project/web", ""}},
		{"project's hook", `{"object_kind":"push","event_name":"push","project":{"id":1}}`, gist{Reason: UnknownEvent}},
		{"system's hook", `{"event_name":"project_create","path":"group/project"}`, gist{Reason: UnknownEvent}},
	})
	pushed := event("push", `{"mediaType":"`+dockerManifest+`","size":423,"length":423,"digest":"`+digestA+`","repository":"group/project/web","tag":"1"}`)
	h := http.Header{"Content-Type": {"application/vnd.docker.distribution.events.v1+json"}}
	checkFacts(t, parsed(t, Distribution{}, h, pushed), Fact{ID: "e-1", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "group/project/web", Tag: "1", Digest: digestA, MediaType: dockerManifest, Action: events.ActionPush,
		Class: events.ClassUnknown, Actor: "alice", Size: 423, OccurredAt: time.Date(2026, 11, 20, 17, 21, 9, 93e7, time.UTC), DeliveryID: "e-1",
	}})
}
