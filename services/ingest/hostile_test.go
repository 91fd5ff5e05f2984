package ingest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Whatever the bytes, an authentic sender is told that they were received:
// another answer would make it send them again, or give up on its hook.
func TestNoBodyIsAnError(t *testing.T) {
	registries, paths := make([]config.Registry, 0), map[string]string{}
	for _, kind := range config.RegistryTypes() {
		r := local()
		r.Name, r.Type = "a-"+string(kind), kind
		switch kind {
		case config.DockerHub:
			r.Address = ""
		case config.Generic:
			r.Webhook.Mapping = &config.WebhookMapping{Events: "$..*", Repository: "$.repo", Tag: "$.tag", Time: "$.time"}
		default:
		}
		registries = append(registries, r)
		paths[r.Name] = strings.Replace(localPath, "local", r.Name, 1)
	}
	s := start(t, nil, registries...)
	const deep, many = 20_000, 3_000
	bodies := map[string]string{
		"nothing": "", "null": "null", "a number": "7", "a string": `"x"`, "an empty list": "[]", "an empty object": "{}", "a list of nulls": "[null,null]",
		"bytes": "\x00\xff\xfe", "half": `{"events":[`, "deep": strings.Repeat("[", deep), "deep objects": strings.Repeat(`{"a":`, deep),
		"wrong types":       `{"events":{},"push_data":[],"repository":7,"target":[],"data":"x","event_data":[],"package":0,"message":[],"detail":"","type":{},"action":[]}`,
		"a number too long": `{"events":[{"id":` + strings.Repeat("9", deep) + `}]}`,
		"many members":      `{"events":[` + strings.Repeat(`{},`, many) + `{}]}`,
		"many odd members":  `{"events":[` + strings.Repeat(`7,`, many) + `7]}`,
		"a form":            "payload=%7B%7D", "a form of nothing": "payload=%", "two values": "{}{}",
	}
	for _, content := range []string{"application/json", "application/x-www-form-urlencoded", "application/cloudevents+json", "text/plain", "\x01"} {
		for name, path := range paths {
			for what, body := range bodies {
				header := http.Header{"Content-Type": {content}, "X-Github-Event": {"package"}, "Aeg-Event-Type": {"Notification"}}
				if content == "\x01" {
					header = http.Header{"Ce-Type": {"%zz"}, "Ce-Id": {"%"}, "X-Nexus-Webhook-Id": {"x"}}
				}
				if status, text := s.send(t, http.MethodPost, path, header, []byte(body)); status != http.StatusOK && status != http.StatusAccepted {
					t.Errorf("%s, %s, %q: %d %s", name, what, content, status, text)
				}
			}
		}
	}
}

// A delivery of thousands of events is stored whole, and one of thousands of
// members that are none becomes one dead letter, not thousands.
func TestLargeBatches(t *testing.T) {
	s := start(t, nil, local())
	var good, odd []string
	const many = 2_000
	for n := range many {
		good = append(good, strings.TrimSuffix(strings.TrimPrefix(string(push(strconv.Itoa(n))), `{"events":[`), `]}`))
		odd = append(odd, strconv.Itoa(n))
	}
	envelope := func(members []string) []byte { return []byte(`{"events":[` + strings.Join(members, ",") + `]}`) }
	if status, text := s.post(t, localPath, envelope(good)); status != http.StatusAccepted || !strings.Contains(text, `"accepted":2000`) {
		t.Fatalf("answer %d %s", status, text)
	}
	if got := len(s.facts(t)); got != many {
		t.Errorf("%d events stored, want %d", got, many)
	}
	if status, text := s.post(t, localPath, envelope(odd)); status != http.StatusOK {
		t.Fatalf("answer %d %s", status, text)
	}
	if got := len(s.stored(t, events.Dead)); got != 1 {
		t.Errorf("%d dead letters, want one", got)
	}
}
