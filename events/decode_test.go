package events_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// with is a valid message in binary mode with some headers changed; a nil
// value removes one.
func with(tb testing.TB, changes map[string]any) events.Message {
	tb.Helper()
	m := events.Topology{}.Encode(newEvent(tb, scanRequested(), meta()))
	for name, value := range changes {
		switch value := value.(type) {
		case string:
			m.Header[name] = []string{value}
		default:
			delete(m.Header, name)
		}
	}
	return m
}

func TestHeadersCountInAnyCase(t *testing.T) {
	m := with(t, nil)
	want, err := events.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{"upper": strings.ToUpper, "canonical": http.CanonicalHeaderKey} {
		changed := events.Message{Data: m.Data, Header: map[string][]string{"Empty": nil}}
		for header, values := range m.Header {
			changed.Header[change(header)] = values
		}
		got, err := events.Decode(changed)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkEqual(t, got, want)
	}
	twice := with(t, map[string]any{"CE-ID": "first"})
	for range 20 {
		if got, err := events.Decode(twice); err != nil || got.ID() != "first" {
			t.Fatalf("two ids: %q, %v; want always the first by name", got.ID(), err)
		}
	}
}

func TestPercentEncoding(t *testing.T) {
	m := meta()
	m.ID = `a"b%20ü€😀`
	d := imageRequested()
	d.Actor = `Jürgen "50%"`
	want := newEvent(t, d, m)
	message := events.Topology{}.Encode(want)
	if got, encoded := message.Header["ce-id"][0], `a%22b%2520%C3%BC%E2%82%AC%F0%9F%98%80`; got != encoded {
		t.Errorf("ce-id = %s, want %s", got, encoded)
	}
	if got := message.Header[events.HeaderMessageID][0]; got != m.ID {
		t.Errorf("message id = %s", got)
	}
	got, err := events.Decode(message)
	if err != nil {
		t.Fatal(err)
	}
	checkEqual(t, got, want)

	foreign, err := events.Decode(with(t, map[string]any{"ce-subject": "an%20image%7f", "ce-tenant": "a%20b"}))
	if err != nil || foreign.About() != "an image\x7f" {
		t.Fatalf("subject = %q, %v", foreign.About(), err)
	}
	again := events.Topology{}.Encode(foreign).Header
	if again["ce-subject"][0] != "an%20image%7F" || again["ce-tenant"][0] != "a%20b" {
		t.Errorf("encoded again: %v", again)
	}
}

// Time is optional in CloudEvents, and so are the others that are left out here.
func TestDecodeWithoutOptionalAttributes(t *testing.T) {
	m := with(t, map[string]any{
		"ce-time": nil, "ce-subject": nil, "ce-dataschema": nil, "ce-traceparent": nil, "content-type": nil, "Nats-Msg-Id": nil,
	})
	e, err := events.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	if !e.Time().IsZero() || e.About() != "" || e.TraceParent() != "" {
		t.Errorf("time %v, subject %q, trace %q", e.Time(), e.About(), e.TraceParent())
	}
	again := events.Topology{}.Encode(e)
	for _, name := range []string{"ce-time", "ce-subject", "ce-dataschema", "ce-traceparent"} {
		if values, has := again.Header[name]; has {
			t.Errorf("%s = %v, want none", name, values)
		}
	}
	raw, err := e.JSON()
	if err != nil || strings.Contains(string(raw), `"time"`) {
		t.Errorf("structured form %s, %v", raw, err)
	}
	back, err := events.Decode(structured(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	checkEqual(t, back, e)
}

func TestDecodeToleratesAdditions(t *testing.T) {
	data := fmt.Sprintf(`{"digest":%q,"generation":1,"lane":"push","os":"linux","pool":"any","new":{"a":[1]}}`, digest("a"))
	e, err := events.Decode(structured(envelope(events.KindScanRequested, []byte(data))))
	if err != nil {
		t.Fatal(err)
	}
	if message := (events.Topology{}).Encode(e); !strings.Contains(string(message.Data), `"new"`) {
		t.Errorf("what another version said is lost: %s", message.Data)
	}
}

func TestDecodeNormalizes(t *testing.T) {
	for name, test := range map[string]struct {
		changes map[string]any
		check   func(events.Event) bool
	}{
		"time in another zone": {
			map[string]any{"ce-time": "2026-03-04T07:06:08+02:00"},
			func(e events.Event) bool { return e.Time().Location() == time.UTC && e.Time().Equal(at("05:06:08")) },
		},
		"broken trace": {
			map[string]any{"ce-traceparent": "broken"},
			func(e events.Event) bool { return e.TraceParent() == "" },
		},
		"type of data as an attribute": {
			map[string]any{"content-type": nil, "ce-datacontenttype": "Application/JSON; charset=utf-8"},
			func(e events.Event) bool {
				return events.Topology{}.Encode(e).Header["content-type"][0] == "application/json"
			},
		},
	} {
		e, err := events.Decode(with(t, test.changes))
		if err != nil || !test.check(e) {
			t.Errorf("%s: %v, %+v", name, err, e)
		}
	}
}

func TestDecodeRefusesEnvelopes(t *testing.T) {
	good := envelope(events.KindScanRequested, []byte(`{}`))
	tests := []struct {
		name    string
		message events.Message
		want    error
	}{
		{"nothing", events.Message{}, events.ErrNoEvent},
		{"no version", with(t, map[string]any{"ce-specversion": nil}), events.ErrNoEvent},
		{"old version", with(t, map[string]any{"ce-specversion": "0.3"}), events.ErrNoEvent},
		{"no id", with(t, map[string]any{"ce-id": nil}), events.ErrNoEvent},
		{"no type", with(t, map[string]any{"ce-type": nil}), events.ErrNoEvent},
		{"no source", with(t, map[string]any{"ce-source": nil}), events.ErrNoEvent},
		{"percent", with(t, map[string]any{"ce-subject": "%zz"}), events.ErrNoEvent},
		{"time", with(t, map[string]any{"ce-time": "yesterday"}), events.ErrNoEvent},
		{"time past year 9999", with(t, map[string]any{"ce-time": "9999-12-31T23:59:59-01:00"}), events.ErrNoEvent},
		{"subject not UTF-8", with(t, map[string]any{"ce-subject": "%ff"}), events.ErrNoEvent},
		{"extension not UTF-8", with(t, map[string]any{"ce-tenant": "%ff"}), events.ErrNoEvent},
		{"extension's name", with(t, map[string]any{"ce-no-name": "a"}), events.ErrNoEvent},
		{"data is no JSON", events.Message{Header: with(t, nil).Header, Data: []byte("{")}, events.ErrNoEvent},
		{"data of another type", with(t, map[string]any{"content-type": "text/xml"}), events.ErrNoEvent},
		{"too much", events.Message{Header: with(t, nil).Header, Data: make([]byte, 2*events.MaxData+1)}, events.ErrNoEvent},
		{"batch", events.Message{Header: map[string][]string{"content-type": {"application/cloudevents-batch+json"}}}, events.ErrNoEvent},
		{"structured, no JSON", structured("{"), events.ErrNoEvent},
		{"structured, old version", structured(strings.Replace(good, `"1.0"`, `"0.3"`, 1)), events.ErrNoEvent},
		{"structured, no id", structured(strings.Replace(good, `"id":"1",`, "", 1)), events.ErrNoEvent},
		{"type of another", with(t, map[string]any{"ce-type": "com.example.pushed"}), events.ErrUnknownType},
		{"type of a later version", with(t, map[string]any{"ce-type": "dev.landwaiter.scan.requested.v2"}), events.ErrUnknownType},
		{"type without prefix", with(t, map[string]any{"ce-type": "scan.requested"}), events.ErrUnknownType},
		{"type unknown", with(t, map[string]any{"ce-type": "dev.landwaiter.scan.paused.v1"}), events.ErrUnknownType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := events.Decode(test.message); !errors.Is(err, test.want) {
				t.Errorf("Decode = %v, want %v", err, test.want)
			}
		})
	}
}

// Wrong data is named with its event and field.
func TestDecodeRefusesData(t *testing.T) {
	for _, kind := range events.Kinds() {
		for _, data := range []string{`null`, `{}`, `[]`, `"text"`, `{"registry":1,"digest":1,"version":1,"sweep":1}`} {
			_, err := events.Decode(structured(envelope(kind, []byte(data))))
			if err == nil || !strings.Contains(err.Error(), string(kind)) {
				t.Errorf("Decode of %s with %s = %v, want an error that names the kind", kind, data, err)
			}
			if errors.Is(err, events.ErrNoEvent) || errors.Is(err, events.ErrUnknownType) {
				t.Errorf("Decode of %s with %s = %v, which is about the envelope", kind, data, err)
			}
		}
	}
	_, err := events.Decode(structured(envelope(events.KindScanRequested, []byte(`{"digest":"sha256:x","lane":"fast"}`))))
	for _, want := range []string{`digest "sha256:x"`, `lane "fast"`, "os", "pool"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode = %v, want an error that names %s", err, want)
		}
	}
	if _, err := events.Decode(with(t, map[string]any{"ce-id": "a%20b"})); err == nil || !strings.Contains(err.Error(), "id") {
		t.Errorf("Decode of an id with a space = %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for kind, data := range examples() {
		m := events.Topology{}.Encode(newEvent(f, data, meta()))
		f.Add("application/json", kind.Type(), "fact-1", "landwaiter/x", "2026-03-04T05:06:07Z", "tenant", "a%20b", m.Data)
		f.Add("application/cloudevents+json", "", "", "", "", "", "", []byte(envelope(kind, m.Data)))
	}
	f.Add("application/cloudevents+json", "", "", "", "", "", "",
		[]byte(`{"specversion":"1.0","id":"1","source":"/a","type":"dev.landwaiter.rematch.v1","datacontenttype":"text/xml","data_base64":"e30="}`))
	f.Fuzz(func(t *testing.T, contentType, kind, id, source, moment, extension, value string, data []byte) {
		m := events.Message{Data: data, Header: map[string][]string{
			"content-type": {contentType}, "ce-specversion": {"1.0"}, "ce-type": {kind}, "ce-id": {id}, "ce-source": {source},
			"ce-time": {moment}, "ce-" + extension: {value},
		}}
		e, err := events.Decode(m)
		if err != nil {
			return
		}
		back, err := events.Decode(events.Topology{}.Encode(e))
		if err != nil {
			t.Fatalf("what decodes does not decode again: %v\n%+v", err, e)
		}
		checkEqual(t, back, e)
		raw, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err = events.Decode(structured(string(raw)))
		if err != nil {
			t.Fatalf("its structured form does not decode: %v\n%s", err, raw)
		}
		checkEqual(t, back, e)
	})
}
