package events_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// covers reports whether a broker would deliver the subject to the filter.
func covers(filter, subject string) bool {
	want, got := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, token := range want {
		switch {
		case i >= len(got):
			return false
		case token == ">":
			return true
		case token != "*" && token != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}

// overlap reports whether some subject fits both filters.
func overlap(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(x) && i < len(y); i++ {
		switch {
		case x[i] == ">" || y[i] == ">":
			return true
		case x[i] != "*" && y[i] != "*" && x[i] != y[i]:
			return false
		}
	}
	return len(x) == len(y)
}

func TestSubjects(t *testing.T) {
	subjects := map[events.Kind]string{
		events.KindImageRequested:   "landwaiter.plan.hub",
		events.KindSweepRequested:   "landwaiter.sweep.nightly",
		events.KindScanRequested:    "landwaiter.scan.sweep.linux.any",
		events.KindVerdictRequested: "landwaiter.rematch",
		events.KindAdvisories:       "landwaiter.result.advisories.updated._all",
	}
	streams := map[events.Kind]string{
		events.KindImageRequested: "PLANS", events.KindSweepRequested: "SWEEPS",
		events.KindScanRequested: "SCANS", events.KindVerdictRequested: "REMATCH",
	}
	for kind, data := range examples() {
		want, wantStream := subjects[kind], streams[kind]
		_, fromRegistry := data.(events.RegistryEvent)
		if wantStream == "" && fromRegistry {
			wantStream = "REGISTRY"
		} else if wantStream == "" {
			wantStream = "RESULTS"
		}
		if want == "" && fromRegistry {
			want = "landwaiter.registry." + string(kind) + ".hub"
		} else if want == "" {
			want = "landwaiter.result." + string(kind) + ".hub"
		}
		got := events.Topology{}.Subject(newEvent(t, data, meta()))
		if got != want {
			t.Errorf("subject of %s = %s, want %s", kind, got, want)
		}
		for _, stream := range (events.Topology{}).Streams() {
			if takes := covers(stream.Subjects[0], got); takes != (stream.Name == wantStream) {
				t.Errorf("stream %s takes %s: %v, want it in %s", stream.Name, got, takes, wantStream)
			}
		}
	}
}

func TestStreams(t *testing.T) {
	const day, window = 24 * time.Hour, 2 * time.Minute
	want := []events.Stream{
		{Name: "REGISTRY", Subjects: []string{"landwaiter.registry.>"}, MaxAge: 7 * day, Duplicates: time.Hour},
		{Name: "PLANS", Subjects: []string{"landwaiter.plan.>"}, WorkQueue: true, Duplicates: window},
		{Name: "SWEEPS", Subjects: []string{"landwaiter.sweep.>"}, WorkQueue: true, Duplicates: window},
		{Name: "SCANS", Subjects: []string{"landwaiter.scan.>"}, WorkQueue: true, Duplicates: window},
		{Name: "REMATCH", Subjects: []string{"landwaiter.rematch"}, WorkQueue: true, Duplicates: window},
		{Name: "RESULTS", Subjects: []string{"landwaiter.result.>"}, MaxAge: 30 * day, Duplicates: time.Hour},
		{Name: "DELIVERIES", Subjects: []string{"landwaiter.delivery.>"}, WorkQueue: true, Duplicates: window},
		{Name: "REPLAYS", Subjects: []string{"landwaiter.replay.>"}, WorkQueue: true, Duplicates: window},
		{Name: "DEAD", Subjects: []string{"landwaiter.dead.>"}, MaxAge: 30 * day, Duplicates: time.Hour},
	}
	if diff := diffOf(want, events.Topology{}.Streams()); diff != "" {
		t.Errorf("streams differ (-want +got):\n%s", diff)
	}
	short := events.Topology{ResultsAge: time.Minute}.Streams()[5]
	// A broker refuses a window longer than the age.
	if short.MaxAge != time.Minute || short.Duplicates != time.Minute {
		t.Errorf("RESULTS of one minute: %+v", short)
	}
}

func TestPrefixesShareNothing(t *testing.T) {
	one, other, longer := events.Topology{}, events.Topology{Prefix: "a"}, events.Topology{Prefix: "a-b"}
	pairs := [][2]events.Topology{{one, other}, {one, longer}, {other, longer}}
	for _, pair := range pairs {
		for i, stream := range pair[0].Streams() {
			twin := pair[1].Streams()[i]
			if stream.Name == twin.Name {
				t.Errorf("%q and %q share the stream %s", pair[0].Prefix, pair[1].Prefix, stream.Name)
			}
			if overlap(stream.Subjects[0], twin.Subjects[0]) {
				t.Errorf("%q and %q share subjects: %s, %s", pair[0].Prefix, pair[1].Prefix, stream.Subjects, twin.Subjects)
			}
		}
		for kind, data := range examples() {
			e := newEvent(t, data, meta())
			if pair[0].Subject(e) == pair[1].Subject(e) {
				t.Errorf("%q and %q share the subject of %s", pair[0].Prefix, pair[1].Prefix, kind)
			}
		}
		for i, durable := range pair[0].Durables() {
			if overlap(durable.Filters[0], pair[1].Durables()[i].Filters[0]) {
				t.Errorf("%q and %q share the filters of %s", pair[0].Prefix, pair[1].Prefix, durable.Name)
			}
		}
	}
	if a, b := other.Bucket("b-jobs"), longer.Bucket("jobs"); a == b {
		t.Errorf("two installations share the bucket %s", a)
	}
	if got := other.Stream(events.Scans); got != "A_SCANS" {
		t.Errorf("Stream(SCANS) = %s", got)
	}
	if got := other.DeadSubject(events.Scans); got != "a.dead.SCANS" {
		t.Errorf("DeadSubject(SCANS) = %s", got)
	}
}

func TestTopologyValidate(t *testing.T) {
	for prefix, valid := range map[string]bool{
		"": true, "landwaiter": true, "team-1": true, "a.b": false, "a*": false, ">": false, "A": false, "a_b": false, "a b": false,
	} {
		if err := (events.Topology{Prefix: prefix}).Validate(); (err == nil) != valid {
			t.Errorf("Validate of prefix %q: %v", prefix, err)
		}
	}
}

// A broker allows a work queue's consumers no common subject.
func TestDurables(t *testing.T) {
	top := events.Topology{}
	durables := top.Durables()
	for _, lane := range events.Lanes() {
		for _, os := range []string{"linux", "windows"} {
			for _, pool := range []string{events.AnyPool, "site-1", "site"} {
				durables = append(durables, top.ScanWakeUps(lane, os, pool))
			}
		}
	}
	streams := map[string]events.Stream{}
	for _, stream := range top.Streams() {
		streams[stream.Name] = stream
	}
	names := map[string]bool{}
	form := regexp.MustCompile(`^[a-z0-9-]+$`)
	for i, durable := range durables {
		stream := streams[string(durable.Stream)]
		if names[string(durable.Stream)+"/"+durable.Name] || !form.MatchString(durable.Name) {
			t.Errorf("name %s is taken or not valid", durable.Name)
		}
		names[string(durable.Stream)+"/"+durable.Name] = true
		if durable.Lease <= 0 {
			t.Errorf("%s has no bounds: %+v", durable.Name, durable)
		}
		for _, filter := range durable.Filters {
			if !covers(stream.Subjects[0], filter) {
				t.Errorf("%s reads %s, which is not in %s", durable.Name, filter, stream.Name)
			}
		}
		for _, other := range durables[:i] {
			if other.Stream != durable.Stream || !stream.WorkQueue {
				continue
			}
			for _, a := range durable.Filters {
				for _, b := range other.Filters {
					if overlap(a, b) {
						t.Errorf("%s and %s overlap: %s, %s", durable.Name, other.Name, a, b)
					}
				}
			}
		}
	}
}

// A webhook is read again by the consumer that is meant to, and by no other.
func TestReplaySubject(t *testing.T) {
	top := events.Topology{Prefix: "team"}
	subject := top.ReplaySubject("hub")
	for _, stream := range top.Streams() {
		if takes := covers(stream.Subjects[0], subject); takes != (stream.Name == "TEAM_REPLAYS") {
			t.Errorf("stream %s takes %s: %v", stream.Name, subject, takes)
		}
	}
	if reader := top.ReplayedWebhooks(); !covers(reader.Filters[0], subject) || reader.Stream != events.Replays {
		t.Errorf("%+v does not read %s", reader, subject)
	}
}

// What is published is read by the consumer that is meant to.
func TestDurablesReadWhatIsPublished(t *testing.T) {
	top := events.Topology{Prefix: "team"}
	readers := map[events.Kind]events.Durable{
		events.ImagePushed: top.PlanFacts(), events.ImageDeleted: top.PlanFacts(), events.LayerPushed: top.LayerFacts(),
		events.KindImageRequested: top.PlanRequests(), events.KindSweepRequested: top.DueSweeps(),
		events.KindVerdictRequested: top.Rematches(), events.KindCompleted: top.ReportResults(),
		events.KindAdvisories:    top.ReportResults(),
		events.KindScanRequested: top.ScanWakeUps(events.LaneSweep, "linux", events.AnyPool),
	}
	for kind, durable := range readers {
		subject, read := top.Subject(newEvent(t, examples()[kind], meta())), false
		for _, filter := range durable.Filters {
			read = read || covers(filter, subject)
		}
		if !read {
			t.Errorf("%s reads %v, not %s", durable.Name, durable.Filters, subject)
		}
	}
	for _, data := range examples() {
		subject := top.Subject(newEvent(t, data, meta()))
		isResult := strings.HasPrefix(subject, "team.result.")
		if covers(top.ResultSubjects(""), subject) != isResult {
			t.Errorf("ResultSubjects(\"\") and %s", subject)
		}
		if covers(top.ResultSubjects("hub"), subject) != (isResult && strings.HasSuffix(subject, ".hub")) {
			t.Errorf("ResultSubjects(hub) and %s", subject)
		}
	}
}
