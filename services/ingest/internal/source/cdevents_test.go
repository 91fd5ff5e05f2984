package source

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

func TestCDEvents(t *testing.T) {
	const escaped = "sha256%3A" + hexA
	for _, tt := range []struct {
		name, verb, id string
		want           gist
	}{
		{"published", "published.0.2.0", "pkg:oci/web@" + escaped + "?repository_url=h.example/team/web&tag=1", gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"host with a port", "published.0.2.0", "pkg:oci/web@" + escaped + "?repository_url=localhost:5000/team/web", gist{events.ImagePushed, events.ClassUnknown, "team/web@", ""}},
		{"URL without the name", "published.0.2.0", "pkg:oci/web@" + escaped + "?repository_url=h.example/team", gist{events.ImagePushed, events.ClassUnknown, "team/web@", ""}},
		{"URL of a host alone", "published.0.2.0", "pkg:oci/web@" + escaped + "?repository_url=h.example", gist{events.ImagePushed, events.ClassUnknown, "web@", ""}},
		{"no URL", "published.0.2.0", "pkg:oci/web@" + escaped + "?tag=1", gist{events.ImagePushed, events.ClassUnknown, "web:1@", ""}},
		{"neither tag nor digest", "published.0.2.0", "pkg:oci/web", gist{Reason: NoReference}},
		{"deleted", "deleted.0.1.0", "pkg:oci/web?tag=1", gist{events.ImageDeleted, "", "web:1", ""}},
		{"downloaded", "downloaded.0.1.0", "pkg:oci/web?tag=1", gist{events.ImagePulled, "", "web:1", ""}},
		{"packaged is not pushed", "packaged.0.2.0", "pkg:oci/web?tag=1", gist{events.RegistryOther, events.ClassUnknown, "web:1", ""}},
		{"signed", "signed.0.2.0", "pkg:oci/web?tag=1", gist{events.RegistryOther, events.ClassUnknown, "web:1", ""}},
		{"no image", "published.0.2.0", "pkg:golang/example.com/web@v1", gist{Reason: NotAnImage}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, data := range []string{
				`{"subject":{"id":"` + tt.id + `"}}`,
				`{"subject":{"id":"build-7","content":{"artifactId":"` + tt.id + `"}}}`,
				`{"subject":{"content":{"purl":"` + tt.id + `"}}}`,
			} {
				got, _ := one(t, CloudEvents{}, nil, []byte(ce("dev.cdevents.artifact."+tt.verb, data)))
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", data, diff)
				}
			}
		})
	}
}

func TestCDEventsWithoutPackageURL(t *testing.T) {
	for _, data := range []string{`{}`, `{"subject":{"id":"build-7"}}`, `{"subject":{"id":"pkg:oci"}}`, `7`} {
		if b, err := (CloudEvents{}).Parse(nil, []byte(ce("dev.cdevents.artifact.published.0.2.0", data)), time.Now()); err == nil {
			t.Errorf("data %s: %v, no error", data, b)
		}
	}
}
