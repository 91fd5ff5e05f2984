package events_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// What is written by hand is what encoding/json writes, whichever field is
// blank or holds something odd.
func TestRegistryEventsAreEncodedAlike(t *testing.T) {
	whole := events.RegistryEvent{
		Kind: events.ImagePushed, Registry: "hub", Host: "docker.io", Repository: "library/alpine", Tag: "3.20", Digest: digest("a"),
		MediaType: "application/json", Action: events.ActionPush, Class: events.ClassImage, OS: "linux", Architecture: "arm64",
		Actor: "ada", Size: 423, OccurredAt: at("05:06:07").Add(89 * time.Millisecond), ReceivedAt: at("05:06:08"),
		DeliveryID: "1", Source: "distribution",
	}
	odd := []any{
		"", `"`, `\`, "<", ">", "&", "\n", "\x7f", "ä", "\xff", "\u2028", "ok",
		int64(0), int64(-1), int64(1 << 62),
		time.Time{},
		at("05:06:07").Local(), at("05:06:07").In(time.FixedZone("beyond a day", 90_000)),
		time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	same(t, whole)
	for i := range reflect.TypeFor[events.RegistryEvent]().NumField() {
		if !reflect.ValueOf(whole).Field(i).IsZero() {
			for _, value := range odd {
				e := whole
				if field, v := reflect.ValueOf(&e).Elem().Field(i), reflect.ValueOf(value); v.CanConvert(field.Type()) && v.Kind() == field.Kind() {
					field.Set(v.Convert(field.Type()))
					same(t, e)
				}
			}
			continue
		}
		t.Errorf("field %d is not tried", i)
	}
}

// same compares the data of an event, where it is a valid one.
func same(t *testing.T, d events.RegistryEvent) {
	t.Helper()
	e, err := events.New(d, meta())
	if err != nil {
		return
	}
	want, err := json.Marshal(d)
	if err != nil {
		t.Fatalf("New takes what JSON cannot hold: %v", err)
	}
	if got := (events.Topology{}).Encode(e).Data; string(got) != string(want) {
		t.Errorf("encoded as\n%s\nwant\n%s", got, want)
	}
}

func TestSourceIsAURIReference(t *testing.T) {
	m := meta()
	m.Source = "ingest/ä"
	if got, want := newEvent(t, scanRequested(), m).Source(), "landwaiter/ingest/%C3%A4"; got != want {
		t.Errorf("Source() = %s, want %s", got, want)
	}
}
