package source

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

func compiledMapping(tb testing.TB, m config.WebhookMapping) Generic {
	tb.Helper()
	g, err := NewGeneric(m)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// flat maps a body that is one event with members of our own names.
func flat() config.WebhookMapping {
	return config.WebhookMapping{
		ID: "$.id", Repository: "$.image.repository", Tag: "$.image.tag", Digest: "$.image.digest", MediaType: "$.image.type",
		Action: "$.what", Actions: map[string]string{"IMAGE_NEW": "push", "gone": "delete", "scan": "other"},
		Actor: "$['by whom'].name", Time: "$.at",
	}
}

func TestGeneric(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       gist
	}{
		{"push", `{"what":"IMAGE_NEW","image":{"repository":"a/b","tag":"1","digest":"` + digestA + `"}}`, gist{events.ImagePushed, events.ClassUnknown, "a/b:1@", ""}},
		{"delete", `{"what":"gone","image":{"repository":"a/b","tag":"1"}}`, gist{events.ImageDeleted, "", "a/b:1", ""}},
		{"word of ours", `{"what":"Pull","image":{"repository":"a/b","tag":"1"}}`, gist{events.ImagePulled, "", "a/b:1", ""}},
		{"word for other", `{"what":"scan","image":{"repository":"a/b","tag":"1"}}`, gist{events.RegistryOther, events.ClassUnknown, "a/b:1", ""}},
		{"word not known", `{"what":"polish","image":{"repository":"a/b","tag":"1"}}`, gist{events.RegistryOther, events.ClassUnknown, "a/b:1", ""}},
		{"no word is no push", `{"image":{"repository":"a/b","tag":"1"}}`, gist{events.RegistryOther, events.ClassUnknown, "a/b:1", ""}},
		{"full reference", `{"what":"push","image":{"repository":"h.example:5000/a/b:1@` + digestA + `"}}`, gist{events.ImagePushed, events.ClassUnknown, "a/b:1@", ""}},
		{"index", `{"what":"push","image":{"repository":"a/b","tag":"1","type":"` + ociIndex + `"}}`, gist{events.ImagePushed, events.ClassIndex, "a/b:1", ""}},
		{"chart", `{"what":"push","image":{"repository":"a/b","tag":"1","type":"` + helmConfig + `"}}`, gist{events.RegistryOther, events.ClassChart, "a/b:1", ""}},
		{"layer", `{"what":"push","image":{"repository":"a/b","digest":"` + digestA + `","type":"application/vnd.oci.image.layer.v1.tar+gzip"}}`, gist{events.LayerPushed, events.ClassLayer, "a/b@", ""}},
		{"tag that is a number", `{"what":"push","image":{"repository":"a/b","tag":7}}`, gist{events.ImagePushed, events.ClassUnknown, "a/b:7", ""}},
		{"tag that is null is not latest", `{"what":"push","image":{"repository":"a/b","tag":null}}`, gist{Reason: NoReference}},
		{"no repository", `{"what":"push","image":{"tag":"1"}}`, gist{Reason: UnknownEvent}},
		{"repository of another kind", `{"what":"push","image":{"repository":{},"tag":"1"}}`, gist{Reason: UnknownEvent}},
		{"repository that is none", `{"what":"push","image":{"repository":"<name>","tag":"1"}}`, gist{Reason: NoRepository}},
		{"no object", `[7]`, gist{Reason: UnknownEvent}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := one(t, compiledMapping(t, flat()), nil, []byte(tt.body))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestGenericFields(t *testing.T) {
	body := `{"id":42,"what":"push","at":1790848800,"by whom":{"name":"alice"},"image":{"repository":"a/b","tag":"1","digest":"` + digestA + `","type":"` + ociManifest + `"}}`
	_, b := one(t, compiledMapping(t, flat()), nil, []byte(body))
	want := Fact{ID: "42", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "a/b", Tag: "1", Digest: digestA, MediaType: ociManifest, Action: events.ActionPush,
		Class: events.ClassUnknown, Actor: "alice", OccurredAt: time.Unix(1790848800, 0).UTC(), DeliveryID: "42",
	}}
	if diff := cmp.Diff(want, b.Facts[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestGenericEvents: queries are asked of each event, and one id for all of
// them does not make them one.
func TestGenericEvents(t *testing.T) {
	g := compiledMapping(t, config.WebhookMapping{Events: "$.images[?@.done == true]", ID: "$.job", Repository: "$.name", Tag: "$.tag"})
	body := []byte(`{"images":[{"name":"a","tag":"1","done":true,"job":"7"},{"name":"a","tag":"2","done":true,"job":"7"},{"name":"b","tag":"1","done":false},{"name":"<x>","done":true}]}`)
	b, err := g.Parse(nil, body, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []gist{
		{events.ImagePushed, events.ClassUnknown, "a:1", ""}, {events.ImagePushed, events.ClassUnknown, "a:2", ""}, {Reason: NoRepository},
	}
	if diff := cmp.Diff(want, gists(b)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if b.Facts[0].ID == b.Facts[1].ID || b.Facts[0].DeliveryID != "7" {
		t.Errorf("got ids %q and %q of delivery %q", b.Facts[0].ID, b.Facts[1].ID, b.Facts[0].DeliveryID)
	}
	again, err := g.Parse(nil, body, time.Now())
	if err != nil || again.Facts[0].ID != b.Facts[0].ID {
		t.Errorf("again: got %v, %v; want the same ids", again, err)
	}
	if none, _ := one(t, g, nil, []byte(`{"zen":"hello"}`)); none.Reason != UnknownEvent {
		t.Errorf("body without events: got %v", none)
	}
}

// TestGenericText: events may be nothing but references.
func TestGenericText(t *testing.T) {
	g := compiledMapping(t, config.WebhookMapping{Events: "$..ref", Repository: "$"})
	b, err := g.Parse(nil, []byte(`[{"ref":"h.example/a:1"},{"x":{"ref":"h.example/b:2"}}]`), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []gist{{events.ImagePushed, events.ClassUnknown, "a:1", ""}, {events.ImagePushed, events.ClassUnknown, "b:2", ""}}
	if diff := cmp.Diff(want, gists(b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNewGenericNamesEveryMistake(t *testing.T) {
	_, err := NewGeneric(config.WebhookMapping{
		Events: "$[", Tag: "tag", Time: "$.a[?length(@)]", Actions: map[string]string{"new": "pushed"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"events: ", "tag: ", "time: ", "repository: is missing", `actions.new: "pushed"`, "actions: has no use",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "digest: ") {
		t.Errorf("got %q: nothing is wrong with digest", err)
	}
}

func TestGenericLimits(t *testing.T) {
	g := compiledMapping(t, config.WebhookMapping{Repository: "$..repository"})
	for name, body := range map[string]string{
		"no body": "", "no JSON": "{", "two values": "{} {}", "form": "payload=%7B%7D",
		"too deep":  strings.Repeat(`{"a":`, documentDepth) + "1" + strings.Repeat("}", documentDepth),
		"deeper":    strings.Repeat("[", 20000),
		"too many":  "[" + strings.Repeat("1,", documentValues) + "1]",
		"names too": "{" + strings.Repeat(`"a":1,`, documentValues/2) + `"a":1}`,
	} {
		if b, err := g.Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("%s: %v, no error", name, b)
		}
	}
	deep := strings.Repeat(`{"a":`, documentDepth-2) + `{"repository":"r:1"}` + strings.Repeat("}", documentDepth-2)
	if got, _ := one(t, g, nil, []byte(deep)); got.Ref != "r:1" {
		t.Errorf("as deep as may be: got %v", got)
	}
}

func FuzzGeneric(f *testing.F) {
	f.Add([]byte(`{"id":1,"what":"gone","at":"2026-10-01T10:00:00Z","image":{"repository":"h.example/a:1","type":"` + ociManifest + `"}}`))
	g := compiledMapping(f, flat())
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, g, body) })
}

// FuzzGenericQuery: whatever a mapping asks of whatever body, it gives valid
// events or none.
func FuzzGenericQuery(f *testing.F) {
	f.Add("$..b[?@.c > 1 && match(@.d, 'x.*')]", []byte(`{"b":[{"c":2,"d":"xy"}]}`))
	f.Add("$[?length(@.a) == count(@.*)]['a'][0:3:2]", []byte(`[{"a":["b:1"]}]`))
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		const most = 200
		if len(text) > most || len(body) > most { // a query may descend again and again
			t.Skip()
		}
		g, err := NewGeneric(config.WebhookMapping{Events: text, Repository: "$"})
		if err == nil {
			checkValid(t, g, body)
		}
	})
}
