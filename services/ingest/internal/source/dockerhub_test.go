package source

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

func TestDockerHub(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       gist
	}{
		{"push", `{"push_data":{"tag":"1","pushed_at":1.417566161e+09,"pusher":"a","images":["..."]},"repository":{"repo_name":"a/b"}}`, gist{events.ImagePushed, events.ClassUnknown, "a/b:1", ""}},
		{"official image", `{"push_data":{"tag":"1"},"repository":{"repo_name":"alpine"}}`, gist{events.ImagePushed, events.ClassUnknown, "library/alpine:1", ""}},
		{"image", `{"push_data":{"tag":"1","media_type":"` + dockerConfig + `"},"repository":{"repo_name":"a/b"}}`, gist{events.ImagePushed, events.ClassImage, "a/b:1", ""}},
		{"chart", `{"push_data":{"tag":"1","media_type":"` + helmConfig + `"},"repository":{"repo_name":"a/b"}}`, gist{events.RegistryOther, events.ClassChart, "a/b:1", ""}},
		{"signature by its type", `{"push_data":{"tag":"1","media_type":"application/vnd.cncf.notary.signature"},"repository":{"repo_name":"a/b"}}`, gist{events.RegistryOther, events.ClassSignature, "a/b:1", ""}},
		{"members of a wrong type", `{"push_data":{"tag":"1","pushed_at":{},"pusher":{},"media_type":7,"images":"x"},"repository":{"repo_name":"a/b","owner":7}}`, gist{events.ImagePushed, events.ClassUnknown, "a/b:1", ""}},
		{"signature", `{"push_data":{"tag":"sha256-` + hexA + `.sig"},"repository":{"repo_name":"a/b"}}`, gist{events.RegistryOther, events.ClassSignature, "a/b:sha256-" + hexA + ".sig", ""}},
		{"no tag is not latest", `{"push_data":{},"repository":{"repo_name":"a/b"}}`, gist{events.RepositoryUpdated, "", "a/b", ""}},
		{"our answer to a callback", `{"state":"success","description":"x"}`, gist{Reason: NoRepository}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := DockerHub{}.Parse(nil, []byte(tt.body), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]gist{tt.want}, gists(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDockerHubFields(t *testing.T) {
	body := `{"push_data":{"tag":"1","pushed_at":1497467660,"pusher":"alice"},"repository":{"repo_name":"a/b"},"callback_url":"http://127.0.0.1/"}`
	b, err := DockerHub{}.Parse(nil, []byte(body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []Fact{{RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "a/b", Tag: "1", Action: events.ActionPush, Class: events.ClassUnknown, Actor: "alice",
		OccurredAt: time.Date(2017, 6, 14, 19, 14, 20, 0, time.UTC),
	}}}
	if diff := cmp.Diff(want, b.Facts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDockerHubNotAPayload(t *testing.T) {
	for _, body := range []string{"", "[]", "7", `"x"`, "payload=%7B%7D", `{"push_data":[]}`, `{"push_data":{},"repository":"a/b"}`} {
		if b, err := (DockerHub{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %q: %v, no error", body, b)
		}
	}
}

func FuzzDockerHub(f *testing.F) {
	f.Add([]byte(`{"push_data":{"tag":"1","pushed_at":1.4e+09,"media_type":"a/b"},"repository":{"repo_name":"a/b"}}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, DockerHub{}, body) })
}
