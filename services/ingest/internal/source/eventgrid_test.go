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

// gridSchema is an event in Event Grid's own schema.
func gridSchema(kind, id, data string) string {
	return `{"id":"` + id + `","topic":"/subscriptions/s/registries/evil","subject":"team/web:2","eventType":"` + gridRegistry + kind +
		`","eventTime":"2026-10-01T10:00:09Z","data":` + data + `,"dataVersion":"2.0","metadataVersion":"1"}`
}

// cloudSchema is the same as a CloudEvent.
func cloudSchema(kind, id, data string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"/subscriptions/s/registries/evil","subject":"team/web:2","type":"` + gridRegistry + kind +
		`","time":"2026-10-01T10:00:09Z","data":` + data + `}`
}

func gridValidate(code string) string {
	return `{"id":"v-1","topic":"/subscriptions/s","subject":"","data":{"validationCode":"` + code + `","validationUrl":"http://127.0.0.1:1/"},` +
		`"eventType":"` + gridValidation + `","eventTime":"2026-10-01T10:00:00Z","metadataVersion":"1","dataVersion":"1"}`
}

func gridList(members ...string) string { return "[" + strings.Join(members, ",") + "]" }

func TestEventGrid(t *testing.T) {
	push := acrBody("push", acrTagged)
	pushed := gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}
	deleted := gist{events.ImageDeleted, "", "team/web:1@", ""}
	chart := gist{events.RegistryOther, events.ClassChart, "team/web:1@", ""}
	for _, tt := range []struct {
		name, body string
		want       []gist
	}{
		{"own schema", gridList(gridSchema("ImagePushed", "g-1", push)), []gist{pushed}},
		{"own schema, no list", gridSchema("ImagePushed", "g-1", push), []gist{pushed}},
		{"CloudEvent", cloudSchema("ImagePushed", "g-1", push), []gist{pushed}},
		{"list of CloudEvents", "\n " + gridList(cloudSchema("ImagePushed", "g-1", push), cloudSchema("ImageDeleted", "g-2", acrBody("delete", acrTagged))), []gist{pushed, deleted}},
		{"both schemas", gridList(cloudSchema("ImagePushed", "g-1", push), gridSchema("ImageDeleted", "g-2", acrBody("delete", acrTagged))), []gist{pushed, deleted}},
		{"old type name", `[{"id":"g-1","eventType":"ImagePushed","data":` + push + `}]`, []gist{pushed}},
		{"chart pushed", gridList(gridSchema("ChartPushed", "g-1", acrBody("chart_push", acrTagged))), []gist{chart}},
		{"chart by its type alone", gridList(gridSchema("ChartPushed", "g-1", push)), []gist{chart}},
		{"chart deleted, old type name", `[{"id":"g-1","eventType":"ChartDeleted","data":` + push + `}]`, []gist{chart}},
		{"action by the type alone", gridList(gridSchema("ImageDeleted", "g-1", `{"target":{`+acrTagged+`}}`)), []gist{deleted}},
		{"quarantine in a type of its own", gridList(gridSchema("ImageQuarantined", "g-1", acrBody("quarantine", acrTagged))), []gist{pushed}},
		{"another service's event", `[{"id":"g-1","eventType":"Microsoft.Storage.BlobCreated","data":` + push + `}]`, []gist{{events.RegistryOther, events.ClassUnknown, "team/web:1@", ""}}},
		{"another service's event about nothing", `[{"id":"g-1","eventType":"Microsoft.Storage.BlobCreated","data":{"url":"http://x/"}}]`, []gist{{Reason: UnknownEvent}}},
		{"data in a string", gridList(cloudSchema("ImagePushed", "g-1", `"{\"action\":\"push\",\"target\":{\"repository\":\"a\",\"tag\":\"1\"}}"`)), []gist{{events.ImagePushed, events.ClassUnknown, "a:1", ""}}},
		{"data in Base64", `{"specversion":"1.0","id":"g-1","source":"/s","type":"` + gridRegistry + `ImagePushed","data_base64":"` + base64.StdEncoding.EncodeToString([]byte(push)) + `"}`, []gist{pushed}},
		{"end of the subscription", `[{"id":"g-1","eventType":"Microsoft.EventGrid.SubscriptionDeletedEvent","data":{}}]`, []gist{{Reason: Handshake}}},
		{"empty list", "[]", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := ACR{}.Parse(nil, []byte(tt.body), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, gists(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestEventGridIDs: charts' deletions repeat the data's id of their push.
func TestEventGridIDs(t *testing.T) {
	data := acrBody("push", acrTagged)
	for _, tt := range []struct{ name, body, id, delivery string }{
		{"own schema", gridSchema("ImagePushed", "g-1", data), "g-1", "g-1"},
		{"CloudEvent", cloudSchema("ImagePushed", "g-1", data), "g-1", "g-1"},
		{"no usable id", cloudSchema("ImagePushed", zeroID, data), hash("image.pushed", "team/web", "1", digestA, "2026-10-01T10:00:00.1234567Z"), ""},
	} {
		b, err := ACR{}.Parse(nil, []byte(tt.body), time.Now())
		if err != nil || len(b.Facts) != 1 {
			t.Fatalf("%s: %v, %v", tt.name, b, err)
		}
		if f := b.Facts[0]; f.ID != tt.id || f.DeliveryID != tt.delivery {
			t.Errorf("%s: ids %q and %q, want %q and %q", tt.name, f.ID, f.DeliveryID, tt.id, tt.delivery)
		}
	}
}

func TestEventGridTime(t *testing.T) {
	for timestamp, want := range map[string]time.Time{
		"2026-10-01T10:00:00.5Z":      time.Date(2026, 10, 1, 10, 0, 0, 500000000, time.UTC),
		"019-03-12T22:16:31.0087496Z": time.Date(2026, 10, 1, 10, 0, 9, 0, time.UTC), // the envelope's
	} {
		data := `{"timestamp":"` + timestamp + `","action":"push","target":{` + acrTagged + `}}`
		for _, body := range []string{gridSchema("ImagePushed", "g-1", data), cloudSchema("ImagePushed", "g-1", data)} {
			b, err := ACR{}.Parse(nil, []byte(body), time.Now())
			if err != nil || len(b.Facts) != 1 {
				t.Fatalf("%v, %v", b, err)
			}
			if got := b.Facts[0].OccurredAt; !got.Equal(want) {
				t.Errorf("%s: time %v, want %v", timestamp, got, want)
			}
		}
	}
}

func TestEventGridBinary(t *testing.T) {
	h := http.Header{"Ce-Id": {"g-1"}, "Ce-Type": {gridRegistry + "ImagePushed"}, "Ce-Source": {"/subscriptions/s"}, "Ce-Specversion": {"1.0"}}
	b, err := ACR{}.Parse(h, []byte(acrBody("push", acrTagged)), time.Now())
	if err != nil || len(b.Facts) != 1 || b.Facts[0].ID != "g-1" || b.Facts[0].Kind != events.ImagePushed {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestEventGridHandshake(t *testing.T) {
	for _, body := range []string{gridList(gridValidate("c-1")), gridValidate("c-1")} {
		b, err := ACR{}.Parse(nil, []byte(body), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		want := Batch{
			Ignored: []Reason{Handshake},
			Answer:  &Answer{ContentType: "application/json", Body: []byte(`{"validationResponse":"c-1"}`)},
		}
		if diff := cmp.Diff(want, b); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	for _, code := range []string{"", strings.Repeat("c", 1000)} {
		if b, err := (ACR{}).Parse(nil, []byte(gridList(gridValidate(code))), time.Now()); err == nil {
			t.Errorf("code of %d bytes: %v, no error", len(code), b)
		}
	}
}

// TestEventGridBatchBearsOddMembers: each is a delivery by itself, so that a
// later version may read it.
func TestEventGridBatchBearsOddMembers(t *testing.T) {
	odd := []string{"7", `{"id":"g-2"}`, cloudSchema("ImagePushed", "g-3", `[]`), cloudSchema("ImagePushed", "g-4", `null`)}
	good := cloudSchema("ImagePushed", "g-1", acrBody("push", acrTagged))
	b, err := ACR{}.Parse(nil, []byte(gridList(append(odd, good)...)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Facts) != 1 || b.Facts[0].ID != "g-1" {
		t.Errorf("facts %+v", b.Facts)
	}
	var got []string
	for _, o := range b.Odd {
		got = append(got, string(o.Body))
		if alone, err := (ACR{}).Parse(nil, o.Body, time.Now()); err == nil {
			t.Errorf("%s alone: %v, no error", o.Body, alone)
		}
	}
	if diff := cmp.Diff(odd, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEventGridSizes(t *testing.T) {
	of := func(n int) []byte {
		one := cloudSchema("ImagePushed", "g-1", `{"target":{"repository":"a","tag":"1"}}`)
		return []byte("[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]")
	}
	if b, err := (ACR{}).Parse(nil, of(5000), time.Now()); err != nil || len(b.Facts) != 5000 {
		t.Errorf("5000 events: %d facts, %v", len(b.Facts), err)
	}
	if b, err := (ACR{}).Parse(nil, of(mostParts+1), time.Now()); err == nil {
		t.Errorf("%d events: %d facts, no error", mostParts+1, len(b.Facts))
	}
}
