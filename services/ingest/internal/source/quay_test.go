package source

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

// quayBody is a payload with what all of them have.
func quayBody(fields string) string {
	return `{"name":"shop","repository":"acme/shop","namespace":"acme","docker_url":"quay.example/acme/shop",` +
		`"homepage":"https://quay.example/repository/acme/shop",` + fields + `}`
}

func TestQuay(t *testing.T) {
	other := gist{events.RegistryOther, events.ClassUnknown, "acme/shop", ""}
	push := func(ref string) gist { return gist{events.ImagePushed, events.ClassUnknown, ref, ""} }
	said := func(ref string) gist { return gist{events.RegistryOther, events.ClassUnknown, ref, ""} }
	for _, tt := range []struct {
		name, body string
		want       []gist
	}{
		{"push", quayBody(`"updated_tags":["1.0"]`), []gist{push("acme/shop:1.0")}},
		{"push of several tags", quayBody(`"updated_tags":["1.0","latest"],"pruned_image_count":3`), []gist{push("acme/shop:1.0"), push("acme/shop:latest")}},
		{"push with tags and their ids", quayBody(`"updated_tags":{"b":"` + hexA + `","a":"` + digestA + `"}`), []gist{push("acme/shop:a"), push("acme/shop:b")}},
		{"digest for a tag", quayBody(`"updated_tags":["` + digestA + `"]`), []gist{push("acme/shop@")}},
		{"signature", quayBody(`"updated_tags":["sha256-` + hexA + `.sig"]`), []gist{{events.RegistryOther, events.ClassSignature, "acme/shop:sha256-" + hexA + ".sig", ""}}},
		{"one odd tag of three", quayBody(`"updated_tags":["a",7,"c d"]`), []gist{push("acme/shop:a"), {Reason: NoReference}, {Reason: NoReference}}},
		{"no tags", quayBody(`"updated_tags":[]`), []gist{{Reason: NoReference}}},
		{"name disagrees", `{"name":"other","namespace":"x","repository":"acme/shop","updated_tags":["1"]}`, []gist{push("acme/shop:1")}},
		{"repository of the URL alone", `{"docker_url":"https://quay.example:8443/acme/shop","updated_tags":["1"]}`, []gist{push("acme/shop:1")}},
		{"URL with a short host", `{"docker_url":"quay/acme/shop","updated_tags":["1"]}`, []gist{push("acme/shop:1")}},
		{"no repository", `{"name":"shop","namespace":"acme","updated_tags":["1"]}`, []gist{{Reason: NoRepository}}},
		{"odd repository", `{"repository":{"name":"shop"},"docker_url":7,"updated_tags":["1"]}`, []gist{{Reason: NoRepository}}},
		{"build queued", quayBody(`"build_id":"b-1","docker_tags":["1.0"],"is_manual":false,"manual_user":null,"repo":"shop"`), []gist{other}},
		{"build done", quayBody(`"build_id":"b-1","docker_tags":["1.0"],"image_id":"` + digestA + `","manifest_digests":["quay.example/acme/shop@` + digestA + `"]`), []gist{other}},
		{"build failed", quayBody(`"build_id":"b-1","docker_tags":["1.0"],"error_message":"x"`), []gist{other}},
		{"build with tags that it updates", quayBody(`"build_id":"b-1","updated_tags":["1.0"]`), []gist{other}},
		{"vulnerability", quayBody(`"tags":["1.0","` + digestA + `"],"vulnerability":{"id":"CVE-2026-1"}`), []gist{said("acme/shop:1.0"), said("acme/shop@")}},
		{"vulnerabilities", quayBody(`"tags":["1.0"],"vulnerabilities":[]`), []gist{said("acme/shop:1.0")}},
		{"vulnerable index", quayBody(`"tags":["1.0"],"vulnerable_index_report_created":"true"`), []gist{said("acme/shop:1.0")}},
		{"vulnerability of no tag", quayBody(`"vulnerability":{"id":"CVE-2026-1"}`), []gist{other}},
		{"expiring", quayBody(`"tags":["1.0"],"expiring_in":"7 days"`), []gist{said("acme/shop:1.0")}},
		{"quota", `{"namespace":"acme","threshold_percent":80}`, []gist{{Reason: NotAnImage}}},
		{"mirror", quayBody(`"message":"sync started"`), []gist{other}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := Quay{}.Parse(nil, []byte(tt.body), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, gists(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestQuayDeliveriesAreFacts: the body is the same for each push of a tag.
func TestQuayDeliveriesAreFacts(t *testing.T) {
	b, err := Quay{}.Parse(nil, []byte(quayBody(`"updated_tags":["1.0"]`)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []Fact{{RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "acme/shop", Tag: "1.0", Action: events.ActionPush, Class: events.ClassUnknown,
	}}}
	if diff := cmp.Diff(want, b.Facts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQuayNotAPayload(t *testing.T) {
	for _, body := range []string{
		"", "null", "{}", "[]", "7", `{"text":"acme/shop was pushed"}`, quayBody(`"updated_tags":7`), quayBody(`"updated_tags":null`),
		quayBody(`"updated_tags":["` + strings.Repeat(`a","`, mostParts) + `b"]`),
	} {
		if b, err := (Quay{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %.60q: %v, no error", body, b)
		}
	}
}

func FuzzQuay(f *testing.F) {
	f.Add([]byte(quayBody(`"updated_tags":["1.0","` + digestA + `"]`)))
	f.Add([]byte(quayBody(`"updated_tags":{"1.0":"x"}`)))
	f.Add([]byte(quayBody(`"tags":["1.0"],"vulnerability":{}`)))
	f.Add([]byte(quayBody(`"build_id":"b-1"`)))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, Quay{}, body) })
}
