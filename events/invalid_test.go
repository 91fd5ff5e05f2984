package events_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// invalid is valid data with one field spoiled.
type invalid struct {
	field string // what the error must name
	data  events.Data
}

func spoil[T events.Data](field string, d T, spoil func(*T)) invalid {
	spoil(&d)
	return invalid{field, d}
}

func invalidImages[T events.Data](d T, of func(*T) *events.Image) []invalid {
	one := func(field string, change func(*events.Image)) invalid {
		return spoil(field, d, func(d *T) { change(of(d)) })
	}
	return []invalid{
		one("registry", func(i *events.Image) { i.Registry = "Hub" }),
		one("host", func(i *events.Image) { i.Host = "docker.io/x" }),
		one("repository", func(i *events.Image) { i.Repository = "../x" }),
		one("digest", func(i *events.Image) { i.Digest = "" }),
		one("tag", func(i *events.Image) { i.Tags = []string{"ok", "not ok"} }),
	}
}

func invalidRegistryEvents() []invalid {
	d := registryEvent(events.ImagePushed, events.ActionPush, events.ClassImage)
	type E = events.RegistryEvent
	return []invalid{
		spoil("kind", d, func(e *E) { e.Kind, e.Action = events.ScanQueued, events.ActionOther }),
		spoil("kind", d, func(e *E) { e.Kind, e.Action = "", events.ActionOther }),
		spoil("registry", d, func(e *E) { e.Registry = "" }),
		spoil("registry", d, func(e *E) { e.Registry = "a.b" }),
		spoil("host", d, func(e *E) { e.Host = "HOST" }),
		spoil("repository", d, func(e *E) { e.Repository = "A" }),
		spoil("repository", d, func(e *E) { e.Repository = "" }),
		spoil("tag", d, func(e *E) { e.Tag = "a b" }),
		spoil("digest", d, func(e *E) { e.Digest = "sha256:0" }),
		spoil("action", d, func(e *E) { e.Action = events.ActionPull }),
		spoil("class", d, func(e *E) { e.Class = "blob" }),
		spoil("size", d, func(e *E) { e.Size = -1 }),
		spoil("source", d, func(e *E) { e.Source = "" }),
		spoil("receivedAt", d, func(e *E) { e.ReceivedAt = time.Time{} }),
	}
}

func invalidRequests() []invalid {
	type I = events.ImageRequested
	type S = events.ScanRequested
	type W = events.SweepRequested
	return []invalid{
		spoil("request", imageRequested(), func(d *I) { d.Request = "a.b" }),
		spoil("registry", imageRequested(), func(d *I) { d.Registry = "*" }),
		spoil("repository", imageRequested(), func(d *I) { d.Repository = "" }),
		spoil("without tag or digest", imageRequested(), func(d *I) { d.Tag, d.Digest = "", "" }),
		spoil("tag", imageRequested(), func(d *I) { d.Tag = "-" }),
		spoil("digest", imageRequested(), func(d *I) { d.Digest = "x" }),
		spoil("platform", imageRequested(), func(d *I) { d.Platforms = []string{"linux/arm64/v8/x"} }),
		spoil("rule", sweepRequested(), func(d *W) { d.Rule = "a.b" }),
		spoil("sweep", sweepRequested(), func(d *W) { d.Sweep = "nightly..x" }),
		spoil("dueAt", sweepRequested(), func(d *W) { d.DueAt = time.Time{} }),
		spoil("digest", scanRequested(), func(d *S) { d.Digest = "" }),
		spoil("lane", scanRequested(), func(d *S) { d.Lane = "fast" }),
		spoil("os", scanRequested(), func(d *S) { d.OS = "linux-x" }),
		spoil("os", scanRequested(), func(d *S) { d.OS = "" }),
		spoil("pool", scanRequested(), func(d *S) { d.Pool = "" }),
		{"digest", events.VerdictRequested{}},
	}
}

func invalidScans() []invalid {
	type S = events.ScanEvent
	type C = events.ScanCompleted
	d := scanEvent(events.ScanQueued)
	return append(append([]invalid{
		spoil("kind", d, func(d *S) { d.Kind = events.KindCompleted }),
		spoil("scan", d, func(d *S) { d.Scan = "" }),
		spoil("status", d, func(d *S) { d.Status = 7 }),
		spoil("status", d, func(d *S) { d.Status = -1 }),
		spoil("lane", d, func(d *S) { d.Lane = "" }),
		spoil("rule", d, func(d *S) { d.Rules = []string{""} }),
		spoil("attempt", d, func(d *S) { d.Attempt = -1 }),
		spoil("at", d, func(d *S) { d.At = time.Time{} }),
		spoil("error", d, func(d *S) { d.Error = "an error of a queued scan" }),
		spoil("error", scanEvent(events.ScanFailed), func(d *S) { d.Error = "" }),
		spoil("scan", completed(), func(d *C) { d.Scan = "" }),
		spoil("inventory", completed(), func(d *C) { d.Inventory = "" }),
		spoil("report", completed(), func(d *C) { d.Report = "x" }),
		spoil("status", completed(), func(d *C) { d.Status = 7 }),
		spoil("summary", completed(), func(d *C) { d.Summary.MSR.Minor = -1 }),
		spoil("completedAt", completed(), func(d *C) { d.CompletedAt = time.Time{} }),
		spoil("lane", completed(), func(d *C) { d.Lane = "fast" }),
		spoil("rule", completed(), func(d *C) { d.Rules = []string{"A"} }),
	}, invalidImages(d, func(d *S) *events.Image { return &d.Image })...),
		invalidImages(completed(), func(d *C) *events.Image { return &d.Image })...)
}

func invalidResults() []invalid {
	type F = events.FindingsChanged
	type I = events.ImageEvent
	type W = events.SweepEvent
	type A = events.AdvisoriesUpdated
	place, sweep := imageEvent(events.ImageGone), sweepEvent(events.SweepStarted)
	return append(append([]invalid{
		spoil("cause", findings(), func(d *F) { d.Cause = "" }),
		spoil("report", findings(), func(d *F) { d.Report = "" }),
		spoil("before", findings(), func(d *F) { d.Before = "x" }),
		spoil("counts", findings(), func(d *F) { d.Counts.Added = 0 }),
		spoil("change from", findings(), func(d *F) { d.Changed[0].Was = &events.Was{ID: "a"} }),
		spoil("without id", findings(), func(d *F) { d.Added = []events.Change{{Package: "p", Severity: "low"}} }),
		spoil("without package", findings(), func(d *F) { d.Removed = []events.Change{{ID: "a", Severity: "low"}} }),
		spoil("severity", findings(), func(d *F) { d.Changed = []events.Change{{ID: "a", Package: "p", Severity: "LOW"}} }),
		spoil("kind", place, func(d *I) { d.Kind = events.ImagePushed }),
		spoil("rule", place, func(d *I) { d.Rules = []string{"A"} }),
		spoil("at", place, func(d *I) { d.At = time.Time{} }),
		spoil("kind", sweep, func(d *W) { d.Kind = events.ScanQueued }),
		spoil("registry", sweep, func(d *W) { d.Registry = events.AllRegistries }),
		spoil("sweep", sweep, func(d *W) { d.Sweep = "a b" }),
		spoil("rule", sweep, func(d *W) { d.Rule = "A" }),
		spoil("counts", sweep, func(d *W) { d.Counts.Gone = -1 }),
		spoil("at", sweep, func(d *W) { d.At = time.Time{} }),
		spoil("version", advisories(), func(d *A) { d.Version = "" }),
		spoil("object", advisories(), func(d *A) { d.Object = "" }),
		spoil("records", advisories(), func(d *A) { d.Skipped = -1 }),
		spoil("at", advisories(), func(d *A) { d.At = time.Time{} }),
		spoil("replica", advisories(), func(d *A) { d.Replicas[0].Version = "" }),
	}, invalidImages(findings(), func(d *F) *events.Image { return &d.Image })...),
		invalidImages(place, func(d *I) *events.Image { return &d.Image })...)
}

func TestNewRefusesInvalidData(t *testing.T) {
	for _, list := range [][]invalid{invalidRegistryEvents(), invalidRequests(), invalidScans(), invalidResults()} {
		for i, test := range list {
			t.Run(fmt.Sprintf("%T/%s/%d", test.data, test.field, i), func(t *testing.T) {
				_, err := events.New(test.data, meta())
				if err == nil || !strings.Contains(err.Error(), test.field) {
					t.Errorf("New = %v, want an error that names %s", err, test.field)
				}
			})
		}
	}
}

func TestNewRefusesInvalidMeta(t *testing.T) {
	tests := []struct {
		field string
		spoil func(*events.Meta)
	}{
		{"id", func(m *events.Meta) { m.ID = "" }},
		{"id", func(m *events.Meta) { m.ID = "a b" }},
		{"id", func(m *events.Meta) { m.ID = "a\x7f" }},
		{"id", func(m *events.Meta) { m.ID = "a\xff" }},
		{"id", func(m *events.Meta) { m.ID = strings.Repeat("a", 513) }},
		{"source", func(m *events.Meta) { m.Source = "" }},
		{"source", func(m *events.Meta) { m.Source = "a\nb" }},
		{"source", func(m *events.Meta) { m.Source = "%zz" }},
		{"time", func(m *events.Meta) { m.Time = time.Time{} }},
		{"time", func(m *events.Meta) { m.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"traceparent", func(m *events.Meta) { m.TraceParent = "00-1-1-1" }},
	}
	for i, test := range tests {
		t.Run(fmt.Sprintf("%s/%d", test.field, i), func(t *testing.T) {
			m := meta()
			test.spoil(&m)
			_, err := events.New(scanRequested(), m)
			if err == nil || !strings.Contains(err.Error(), test.field) {
				t.Errorf("New = %v, want an error that names %s", err, test.field)
			}
		})
	}
}

func TestNewNamesEverythingThatIsWrong(t *testing.T) {
	_, err := events.New(events.ScanRequested{}, events.Meta{})
	if err == nil {
		t.Fatal("New accepts nothing at all")
	}
	for _, field := range []string{"scan.requested", "id", "source", "time", "digest", "lane", "os", "pool"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q does not name %s", err, field)
		}
	}
}

func TestNewRefusesTooMuch(t *testing.T) {
	d := imageRequested()
	d.Actor = strings.Repeat("a", events.MaxData)
	if _, err := events.New(d, meta()); err == nil {
		t.Error("New accepts data over the limit")
	}
	d = imageRequested()
	d.Tag = strings.Repeat("ä", 1000)
	if _, err := events.New(d, meta()); err == nil || len(err.Error()) > 300 {
		t.Errorf("New = %v, want a short error", err)
	}
	due := sweepRequested()
	due.DueAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := events.New(due, meta()); err == nil {
		t.Error("New accepts a time that JSON cannot hold")
	}
}

// What may be unknown may be absent, and is absent on the wire.
func TestAbsentFields(t *testing.T) {
	registry := events.RegistryEvent{
		Kind: events.RegistryOther, Registry: "hub", Host: "docker.io", Action: events.ActionOther,
		ReceivedAt: at("05:06:08"), Source: "harbor",
	}
	e := newEvent(t, registry, meta())
	want := `{"registry":"hub","host":"docker.io","action":"other","receivedAt":"2026-03-04T05:06:08Z","source":"harbor"}`
	if got := string(events.Topology{}.Encode(e).Data); got != want {
		t.Errorf("data %s, want %s", got, want)
	}
	completed := completed()
	completed.Lane, completed.Database, completed.Policy, completed.StartedAt = "", "", "", time.Time{}
	newEvent(t, completed, meta())
}

func TestAbout(t *testing.T) {
	push := registryEvent(events.ImagePushed, events.ActionPush, events.ClassImage)
	byTag, bare, other := push, push, push
	byTag.Digest = ""
	bare.Digest, bare.Tag = "", ""
	other.Kind, other.Action, other.Repository = events.RegistryOther, events.ActionOther, ""
	asked := imageRequested()
	asked.Digest = ""
	for want, data := range map[string]events.Data{
		"docker.io/library/alpine@" + string(digest("a")): push,
		"docker.io/library/alpine:3.20":                   byTag,
		"docker.io/library/alpine":                        bare,
		"docker.io":                                       other,
		"hub/library/alpine@" + string(digest("a")):       imageRequested(),
		"hub/library/alpine:3.20":                         asked,
		"nightly.20260304T020000Z":                        sweepRequested(),
		string(digest("a")):                               scanRequested(),
	} {
		if got := newEvent(t, data, meta()).About(); got != want {
			t.Errorf("About() = %s, want %s", got, want)
		}
	}
}
