package source

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

func pubSubData(action, digest, tag string) string {
	return `{"action":"` + action + `","digest":"` + digest + `","tag":"` + tag + `"}`
}

func pubSubWrapped(data string) string {
	return `{"message":{"attributes":{},"data":"` + base64.StdEncoding.EncodeToString([]byte(data)) +
		`","messageId":"17","message_id":"17","publishTime":"2026-11-20T17:20:50.749Z"},"subscription":"projects/p/subscriptions/s"}`
}

const googleWeb = "us-east1-docker.pkg.dev/project/repo/web"

func TestPubSub(t *testing.T) {
	both := gist{events.ImagePushed, events.ClassUnknown, "project/repo/web:1@", ""}
	for _, tt := range []struct {
		name, data string
		want       gist
	}{
		{"pushed", pubSubData("INSERT", googleWeb+"@"+digestA, googleWeb+":1"), both},
		{"pushed without a tag", `{"action":"INSERT","digest":"gcr.io/project/web@` + digestA + `"}`, gist{events.ImagePushed, events.ClassUnknown, "project/web@", ""}},
		{"tag removed", `{"action":"DELETE","tag":"` + googleWeb + `:1"}`, gist{events.ImageDeleted, "", "project/repo/web:1", ""}},
		{"image deleted", pubSubData("DELETE", "eu.gcr.io/project/web@"+digestA, ""), gist{events.ImageDeleted, "", "project/web@", ""}},
		{"digest that is none", pubSubData("INSERT", googleWeb+"@sha256:6ec1...", googleWeb+":1"), gist{events.ImagePushed, events.ClassUnknown, "project/repo/web:1", ""}},
		{"tag and digest in one", pubSubData("INSERT", googleWeb+":1@"+digestA, googleWeb+":1"), both},
		{"tag alone beside the digest", pubSubData("INSERT", googleWeb+"@"+digestA, "1"), both},
		{"tag in the digest's place", pubSubData("INSERT", googleWeb+":1", ""), gist{events.ImagePushed, events.ClassUnknown, "project/repo/web:1", ""}},
		{"digest in the tag's place", pubSubData("INSERT", "", googleWeb+":1@"+digestA), both},
		{"no tag is not latest", pubSubData("INSERT", "", googleWeb), gist{Reason: NoReference}},
		{"host with a port", pubSubData("INSERT", "gcr.io:443/project/web@"+digestA, "gcr.io:443/project/web:1"), gist{events.ImagePushed, events.ClassUnknown, "project/web:1@", ""}},
		{"signature", pubSubData("INSERT", "", googleWeb+":sha256-"+hexA+".sig"), gist{events.RegistryOther, events.ClassSignature, "project/repo/web:sha256-" + hexA + ".sig", ""}},
		{"unknown action", pubSubData("POLISH", "", googleWeb+":1"), gist{events.RegistryOther, events.ClassUnknown, "project/repo/web:1", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, body := range []string{pubSubWrapped(tt.data), tt.data} {
				if diff := cmp.Diff([]gist{tt.want}, gists(parsed(t, PubSub{}, http.Header{}, body))); diff != "" {
					t.Errorf("body %s (-want +got):\n%s", body, diff)
				}
			}
		})
	}
}

func TestPubSubFields(t *testing.T) {
	data := pubSubData("INSERT", googleWeb+"@"+digestA, googleWeb+":1")
	want := Fact{ID: "17", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "project/repo/web", Tag: "1", Digest: digestA, Action: events.ActionPush, Class: events.ClassUnknown,
		OccurredAt: time.Date(2026, 11, 20, 17, 20, 50, 749e6, time.UTC), DeliveryID: "17",
	}}
	checkFacts(t, parsed(t, PubSub{}, http.Header{}, pubSubWrapped(data)), want)
	other := `{"message":{"data":"` + base64.StdEncoding.EncodeToString([]byte(data)) + `","message_id":"17","publish_time":"2026-11-20T17:20:50.749Z"}}`
	checkFacts(t, parsed(t, PubSub{}, http.Header{}, other), want)
	h := http.Header{}
	h.Set("X-Goog-Pubsub-Message-Id", "17")
	h.Set("X-Goog-Pubsub-Publish-Time", "2026-11-20T17:20:50.749Z")
	checkFacts(t, parsed(t, PubSub{}, h, data), want)
	want.ID, want.DeliveryID, want.OccurredAt = "", "", time.Time{}
	checkFacts(t, parsed(t, PubSub{}, http.Header{}, data), want)
}

func TestPubSubReferencesOfNoGoogleRegistry(t *testing.T) {
	for _, tt := range []struct{ name, digest, tag string }{
		{"another host", "evil.example/project/web@" + digestA, ""},
		{"a host that ends alike", "", "evilgcr.io/project/web:1"},
		{"a host that begins alike", "", "gcr.io.evil.example/project/web:1"},
		{"a host for other packages", "", "us-maven.pkg.dev/project/repo/web:1"},
		{"one of two", googleWeb + "@" + digestA, "evil.example/project/repo/web:1"},
		{"two repositories", googleWeb + "@" + digestA, googleWeb + "2:1"},
		{"no path", "gcr.io@" + digestA, ""},
		{"no host", "", "web:1"},
		{"a tag alone", "", "1"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, body := range []string{pubSubWrapped(pubSubData("INSERT", tt.digest, tt.tag)), pubSubData("INSERT", tt.digest, tt.tag)} {
				checkRefused(t, PubSub{}, body)
			}
		})
	}
}

func TestPubSubNotAPayload(t *testing.T) {
	checkRefused(
		t, PubSub{}, "", "null", "{}", "[]", `"x"`, `{"message":[]}`, `{"message":{}}`, `{"message":{"data":"%%"}}`, `{"message":{"data":7}}`,
		pubSubWrapped(""), pubSubWrapped("hello"), pubSubWrapped("[]"), pubSubWrapped(`{"kind":"VULNERABILITY"}`),
	)
}

func FuzzPubSub(f *testing.F) {
	f.Add([]byte(pubSubWrapped(pubSubData("INSERT", googleWeb+"@"+digestA, googleWeb+":1"))))
	f.Add([]byte(pubSubData("DELETE", "", "gcr.io:443/project/web:1@x")))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, PubSub{}, body) })
}

func TestPubSubOfAnotherHost(t *testing.T) {
	body := []byte(`{"action":"INSERT","tag":"eu-docker.pkg.dev/p/r/app:1"}`)
	for host, want := range map[string]gist{
		"eu-docker.pkg.dev": {events.ImagePushed, events.ClassUnknown, "p/r/app:1", ""},
		"us-docker.pkg.dev": {Reason: OtherRegistry},
		"mirror.example":    {events.ImagePushed, events.ClassUnknown, "p/r/app:1", ""}, // in front of it
	} {
		b, err := PubSub{Host: host}.Parse(nil, body, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]gist{want}, gists(b)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", host, diff)
		}
	}
}
