package source

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

func TestOCI(t *testing.T) {
	const giteaBody = `{"action":"created","package":{"type":"container","name":"web","version":"1","owner":{"login":"team"}}}`
	for _, tt := range []struct {
		name string
		h    http.Header
		body string
		want gist
	}{
		{"Distribution", nil, `{"events":[{"action":"delete","target":{"repository":"a/b","tag":"1"}}]}`, gist{events.ImageDeleted, "", "a/b:1", ""}},
		{"zot", zotHeader("image.deleted"), `{"name":"a/b","reference":"1"}`, gist{events.ImageDeleted, "", "a/b:1", ""}},
		{"zot, structured", http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}, ce("zotregistry.image.deleted", `{"name":"a/b","reference":"1"}`), gist{events.ImageDeleted, "", "a/b:1", ""}},
		{"CloudEvents", http.Header{"Content-Type": {"application/cloudevents-batch+json"}}, "[" + ce("image.push", `{"repository":"a/b","tag":"1"}`) + "]", gist{events.ImagePushed, events.ClassUnknown, "a/b:1", ""}},
		{"Gitea", http.Header{"X-Gitea-Event": {"package"}}, giteaBody, gist{events.ImagePushed, events.ClassUnknown, "team/web:1", ""}},
		{"Forgejo", http.Header{"X-Forgejo-Event": {"package"}, "X-Github-Event": {"package"}}, giteaBody, gist{events.ImagePushed, events.ClassUnknown, "team/web:1", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := one(t, OCI{}, tt.h, []byte(tt.body))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzOCI(f *testing.F) {
	f.Add([]byte(`{"events":[{"action":"delete","target":{"repository":"a/b","tag":"1"}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, OCI{}, body) })
}
