package source

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/agent"
)

const acrChart = "application/vnd.acr.helm.chart"

// acrBody is an event with this action and target.
func acrBody(action, target string) string {
	return `{"id":"a-1","timestamp":"2026-10-01T10:00:00.1234567Z","action":"` + action + `","target":{` + target + `},` +
		`"request":{"id":"r-1","host":"evil.example","method":"PUT","useragent":"docker/27"}}`
}

const acrTagged = `"repository":"team/web","tag":"1","digest":"` + digestA + `","mediaType":"` + ociManifest + `","size":524,"length":524`

func TestACR(t *testing.T) {
	other := func(c events.Class, ref string) gist { return gist{events.RegistryOther, c, ref, ""} }
	for _, tt := range []struct {
		name, body string
		want       gist
	}{
		{"push", acrBody("push", acrTagged), gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"push without a tag", acrBody("push", `"repository":"team/web","tag":"","digest":"`+digestA+`"`), gist{events.ImagePushed, events.ClassUnknown, "team/web@", ""}},
		{"push of an index", acrBody("push", `"repository":"team/web","tag":"1","digest":"`+digestA+`","mediaType":"`+ociIndex+`"`), gist{events.ImagePushed, events.ClassIndex, "team/web:1@", ""}},
		{"push of a signature", acrBody("push", `"repository":"team/web","tag":"sha256-`+hexA+`.sig"`), other(events.ClassSignature, "team/web:sha256-"+hexA+".sig")},
		{"push of a chart", acrBody("push", `"repository":"team/web","tag":"1","mediaType":"`+acrChart+`"`), other(events.ClassChart, "team/web:1")},
		{"push of an artifact's manifest", acrBody("push", `"repository":"team/web","digest":"`+digestA+`","mediaType":"`+ociArtifact+`"`), other(events.ClassReferrer, "team/web@")},
		{"push of an older artifact's manifest", acrBody("push", `"repository":"team/web","digest":"`+digestA+`","mediaType":"`+orasArtifact+`"`), other(events.ClassReferrer, "team/web@")},
		{"push of nothing", acrBody("push", `"repository":"team/web","digest":"sha256:xxxx"`), gist{Reason: NoReference}},
		{"push to nowhere", acrBody("push", `"repository":"<name>","tag":"1"`), gist{Reason: NoRepository}},
		{"quarantine", acrBody("quarantine", `"repository":"team/web","tag":"1","digest":"`+digestA+`"`), gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"delete", acrBody("delete", `"repository":"team/web","digest":"`+digestA+`","mediaType":"`+ociManifest+`"`), gist{events.ImageDeleted, "", "team/web@", ""}},
		{"delete of a repository", acrBody("delete", `"repository":"team/web"`), gist{events.RepositoryDeleted, "", "team/web", ""}},
		{"delete of what is masked", acrBody("delete", `"repository":"team/web","digest":"sha256:xxxx"`), gist{Reason: NoReference}},
		{"chart pushed", acrBody("chart_push", `"repository":"shop","tag":"shop-1.0.tgz","mediaType":"`+acrChart+`","name":"shop","version":"1.0.tgz"`), other(events.ClassChart, "shop:shop-1.0.tgz")},
		{"chart deleted", acrBody("chart_delete", `"repository":"shop","tag":"shop-1.0.tgz"`), other(events.ClassChart, "shop:shop-1.0.tgz")},
		{"ping", `{"action":"ping"}`, gist{Reason: Ping}},
		{"ping with more", acrBody("ping", acrTagged), gist{Reason: Ping}},
		{"unknown action", acrBody("polish", acrTagged), other(events.ClassUnknown, "team/web:1@")},
		{"unknown action on nothing", acrBody("polish", ""), gist{Reason: UnknownEvent}},
		{"our own request", `{"action":"push","target":{` + acrTagged + `},"request":{"useragent":"` + agent.UserAgent() + `"}}`, gist{Reason: OwnRequest}},
		{"fields of odd types", `{"id":7,"timestamp":{},"action":"push","target":{"size":"many","mediaType":[],"repository":"team/web","tag":"1"},"request":"x"}`, gist{events.ImagePushed, events.ClassUnknown, "team/web:1", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := ACR{}.Parse(nil, []byte(tt.body), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]gist{tt.want}, gists(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestACRFields(t *testing.T) {
	b, err := ACR{}.Parse(nil, []byte(acrBody("push", acrTagged)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []Fact{{ID: "a-1", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "team/web", Tag: "1", Digest: digestA, MediaType: ociManifest, Action: events.ActionPush,
		Class: events.ClassUnknown, Size: 524, OccurredAt: time.Date(2026, 10, 1, 10, 0, 0, 123456700, time.UTC), DeliveryID: "a-1",
	}}}
	if diff := cmp.Diff(want, b.Facts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestACRWithoutUsableID(t *testing.T) {
	parse := func(at, target string) Fact {
		body := `{"id":"` + zeroID + `","timestamp":"` + at + `","action":"push","target":{` + target + `}}`
		b, err := ACR{}.Parse(nil, []byte(body), time.Now())
		if err != nil || len(b.Facts) != 1 {
			t.Fatalf("%v, %v", b, err)
		}
		return b.Facts[0]
	}
	const at, later = "2026-10-01T10:00:00Z", "2026-10-01T10:00:01Z"
	first := parse(at, acrTagged)
	if again := parse(at, acrTagged); first.ID == "" || first.ID != again.ID {
		t.Errorf("one fact has the ids %q and %q", first.ID, again.ID)
	}
	if first.DeliveryID != "" {
		t.Errorf("delivery id %q, want none", first.DeliveryID)
	}
	if next := parse(later, acrTagged); next.ID == first.ID {
		t.Error("two pushes have one id")
	}
	if tag := parse(at, `"repository":"team/web","tag":"1"`); tag.ID != "" {
		t.Errorf("a tag that may have moved has the id %q", tag.ID)
	}
}

func TestACRNotAnEvent(t *testing.T) {
	for _, body := range []string{"", "null", "{}", "7", `"x"`, `{"target":{}}`, `{"action":7}`, `{"action":"push"`} {
		if b, err := (ACR{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %q: %v, no error", body, b)
		}
	}
}

func FuzzACR(f *testing.F) {
	f.Add([]byte(acrBody("push", acrTagged)))
	f.Add([]byte(acrBody("chart_push", `"repository":"shop","tag":"shop-1.0.tgz"`)))
	f.Add([]byte(gridList(gridSchema("ImagePushed", "g-1", acrBody("push", acrTagged)), cloudSchema("ImageDeleted", "g-2", acrBody("delete", acrTagged)))))
	f.Add([]byte(gridList(gridValidate("c-1"))))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, ACR{}, body) })
}
