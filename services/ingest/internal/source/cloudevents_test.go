package source

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

func ce(kind, data string) string {
	return `{"specversion":"1.0","id":"c-1","source":"https://sender.example","type":"` + kind + `","time":"2026-10-01T10:00:00Z","data":` + data + `}`
}

func TestCloudEvents(t *testing.T) {
	const pushed = "com.example.image.pushed"
	for _, tt := range []struct {
		name, kind, data string
		want             gist
	}{
		{"push by the type", "container.image.push", `{"repository":"team/web","tag":"1","digest":"` + digestA + `"}`, gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"push by a type with a version", "dev.landwaiter.image.pushed.v1", `{"repository":"a","tag":"1"}`, gist{events.ImagePushed, events.ClassUnknown, "a:1", ""}},
		{"push by one word", "com.example.ImagePushed", `{"repository":"a","tag":"1"}`, gist{events.ImagePushed, events.ClassUnknown, "a:1", ""}},
		{"delete by the type", "com.example.image.deleted.1.0", `{"repository":"a","tag":"1"}`, gist{events.ImageDeleted, "", "a:1", ""}},
		{"the action counts more", pushed, `{"repository":"a","tag":"1","action":"pull"}`, gist{events.ImagePulled, "", "a:1", ""}},
		{"action not known", pushed, `{"repository":"a","tag":"1","action":"polish"}`, gist{events.RegistryOther, events.ClassUnknown, "a:1", ""}},
		{"type not known", "com.example.push.failed", `{"repository":"a","tag":"1"}`, gist{events.RegistryOther, events.ClassUnknown, "a:1", ""}},
		{"index", pushed, `{"repository":"a","tag":"1","mediaType":"` + ociIndex + `"}`, gist{events.ImagePushed, events.ClassIndex, "a:1", ""}},
		{"chart", pushed, `{"repository":"a","tag":"1","mediaType":"` + helmConfig + `"}`, gist{events.RegistryOther, events.ClassChart, "a:1", ""}},
		{"class of the sender", pushed, `{"repository":"a","tag":"1","class":"signature"}`, gist{events.RegistryOther, events.ClassSignature, "a:1", ""}},
		{"class that is none", pushed, `{"repository":"a","tag":"1","class":"boat"}`, gist{events.ImagePushed, events.ClassUnknown, "a:1", ""}},
		{"layer", "dev.landwaiter.layer.pushed.v1", `{"repository":"a","digest":"` + digestA + `","class":"layer"}`, gist{events.LayerPushed, events.ClassLayer, "a@", ""}},
		{"repository created", "dev.landwaiter.repository.created.v1", `{"repository":"a","action":"other"}`, gist{events.RepositoryCreated, "", "a", ""}},
		{"repository deleted", "com.example.repository.deleted", `{"repository":"a"}`, gist{events.RepositoryDeleted, "", "a", ""}},
		{"image deleted with nothing valid is no repository's end", "com.example.image.deleted", `{"repository":"a","digest":"x"}`, gist{Reason: NoReference}},
		{"full reference", pushed, `{"repository":"host.example:5000/team/web:1@` + digestA + `"}`, gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"JSON in a string", pushed, `"{\"repository\":\"a\",\"tag\":\"1\"}"`, gist{events.ImagePushed, events.ClassUnknown, "a:1", ""}},
		{"members of a wrong type", pushed, `{"repository":"a","tag":"1","digest":7,"actor":{},"action":[]}`, gist{events.ImagePushed, events.ClassUnknown, "a:1", ""}},
		{"ECR's names in another's event", "org.container.image.published", `{"repositoryName":"team/web","imageTag":"1","imageDigest":"` + digestA + `"}`, gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"zot", "zotregistry.image.updated", `{"name":"a","reference":"1"}`, gist{events.ImagePushed, events.ClassUnknown, "a:1", ""}},
		{"ECR", "com.amazon.ecr.image.push", `{"repositoryName":"a","imageTag":"1"}`, gist{events.ImagePushed, events.ClassUnknown, "a:1", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := one(t, CloudEvents{}, nil, []byte(ce(tt.kind, tt.data)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("structured (-want +got):\n%s", diff)
			}
			binary := http.Header{"Content-Type": {"application/json"}, "Ce-Type": {tt.kind}, "Ce-Id": {"c-1"}, "Ce-Source": {"https://sender.example"}}
			if again, _ := one(t, CloudEvents{}, binary, []byte(tt.data)); again != got {
				t.Errorf("binary: got %v, want %v", again, got)
			}
		})
	}
}

// TestCloudEventsSubject: what the data leave out is taken from the subject.
func TestCloudEventsSubject(t *testing.T) {
	for _, tt := range []struct{ kind, subject, data, want string }{
		{"image.pushed", "team/web:1", `{"size":1}`, "team/web:1"},
		{"image.pushed", "host.example:5000/team/web@" + digestA, `{"repository":"team/web"}`, "team/web@"},
		{"image.pushed", "team/web:2", `{"repository":"team/web","tag":"1"}`, "team/web:1"},
		{"com.amazon.ecr.image.push", "team/web:1", `{"imageDigest":"sha256:12ab","repositoryName":"team/web"}`, "team/web:1"},
		{"com.amazon.ecr.image.push", "team/web:1", `{"imageDigest":"` + digestA + `","repositoryName":"team/web"}`, "team/web@"},
	} {
		body := strings.Replace(ce(tt.kind, tt.data), `"time"`, `"subject":"`+tt.subject+`","time"`, 1)
		if got, _ := one(t, CloudEvents{}, nil, []byte(body)); got.Kind != events.ImagePushed || got.Ref != tt.want {
			t.Errorf("%s about %s: got %v, want %s", tt.data, tt.subject, got, tt.want)
		}
	}
	other := strings.Replace(ce("image.pushed", `{"repository":"team/web"}`), `"time"`, `"subject":"team/app:1","time"`, 1)
	if got, _ := one(t, CloudEvents{}, nil, []byte(other)); got.Reason != NoReference {
		t.Errorf("subject of another repository: got %v", got)
	}
}

// TestCloudEventsOfRegistries: an event is read by the source of who sent it.
func TestCloudEventsOfRegistries(t *testing.T) {
	for kind, want := range map[string]Source{
		"zotregistry.image.updated": Zot{}, "harbor.artifact.pushed": Harbor{}, "com.amazon.ecr.image.push": ECR{},
		"Microsoft.ContainerRegistry.ImagePushed": ACR{}, "com.example.harbor.pushed": nil, "zot": nil,
	} {
		if got := (cloudEvent{Type: kind}).sender(); got != want {
			t.Errorf("%s: got %T, want %T", kind, got, want)
		}
	}
}

func TestCloudEventsFields(t *testing.T) {
	data := `{"repository":"a","tag":"1","digest":"` + digestA + `","mediaType":"` + ociManifest + `","actor":"alice"}`
	want := Fact{ID: hash("https://sender.example", "c-1"), RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "a", Tag: "1", Digest: digestA, MediaType: ociManifest, Action: events.ActionPush,
		Class: events.ClassUnknown, Actor: "alice", OccurredAt: time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC), DeliveryID: "c-1",
	}}
	encoded := strings.Replace(ce("image.push", "null"), `"data":null`, `"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(data))+`"`, 1)
	for name, body := range map[string]string{"JSON": ce("image.push", data), "Base64": encoded} {
		_, b := one(t, CloudEvents{}, nil, []byte(body))
		if diff := cmp.Diff(want, b.Facts[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestCloudEventsIDs: an id is one together with its source, and content at a
// time needs none.
func TestCloudEventsIDs(t *testing.T) {
	id := func(source, id, data string) string {
		t.Helper()
		_, b := one(t, CloudEvents{}, nil, []byte(`{"type":"image.push","source":"`+source+`","id":"`+id+`","time":"2026-10-01T10:00:00Z","data":`+data+`}`))
		return b.Facts[0].ID
	}
	const tag = `{"repository":"a","tag":"1"}`
	first, again := id("s", "1", tag), id("s", "1", tag)
	if first != again || first == id("t", "1", tag) || first == id("s", "2", tag) {
		t.Error("source and id do not make the identity")
	}
	if got := id("s", "", tag); got != "" {
		t.Errorf("a tag without id has identity %q, want none", got)
	}
	content := `{"repository":"a","digest":"` + digestA + `"}`
	if got := id("s", "", content); got == "" || got != id("s", "", content) {
		t.Errorf("content without id has identity %q", got)
	}
}

func TestCloudEventsListBearsBrokenEvents(t *testing.T) {
	bad := ce("com.example.greeting", `{"hello":"world"}`)
	good := ce("image.push", `{"repository":"a","tag":"1"}`)
	b, err := CloudEvents{}.Parse(nil, []byte(`[`+bad+`,7,`+good+`,`+ce("zotregistry.image.updated", "7")+`]`), time.Now())
	if err != nil || len(b.Facts) != 1 || len(b.Odd) != 3 {
		t.Fatalf("got %+v, %v", b, err)
	}
	for _, odd := range b.Odd {
		if again, err := (CloudEvents{}).Parse(nil, odd.Body, time.Now()); err == nil {
			t.Errorf("odd member %s: got %v by itself, want an error", odd.Body, again)
		}
	}
}

func TestCloudEventsAttributesOfAWrongType(t *testing.T) {
	got, b := one(t, CloudEvents{}, nil, []byte(`{"id":7,"type":"image.pushed","source":{},"subject":7,"time":{},"data":{"repository":"a","tag":"1"}}`))
	if want := (gist{events.ImagePushed, events.ClassUnknown, "a:1", ""}); got != want || b.Facts[0].DeliveryID != "" {
		t.Errorf("got %v with id %q, want %v and none", got, b.Facts[0].DeliveryID, want)
	}
}

func TestCloudEventsNotOne(t *testing.T) {
	for _, body := range []string{
		"", "7", "null", "{}", `{"data":{"repository":"a"}}`, ce("image.push", "null"), ce("image.push", `{"repository":"<name>"}`),
		ce("image.push", `"text"`), ce("image.push", "[]"), strings.Repeat("[", 20000),
	} {
		if b, err := (CloudEvents{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %.60q: %v, no error", body, b)
		}
	}
}

func FuzzCloudEvents(f *testing.F) {
	f.Add([]byte(ce("image.push", `{"repository":"h.example/a:1","digest":"`+digestA+`","class":"layer","action":"push"}`)))
	f.Add([]byte(ce("dev.cdevents.artifact.published.0.2.0", `{"subject":{"id":"pkg:oci/web@1?repository_url=h.example/a/web&tag=1"}}`)))
	f.Add([]byte("[" + ce("zotregistry.image.updated", `{"name":"a","reference":"1"}`) + "]"))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, CloudEvents{}, body) })
}
