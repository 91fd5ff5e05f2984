package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

func at(clock string) time.Time {
	moment, err := time.Parse(time.RFC3339, "2026-03-04T"+clock+"Z")
	if err != nil {
		return time.Time{} // no event accepts it
	}
	return moment
}

func digest(c string) events.Digest { return events.Digest("sha256:" + strings.Repeat(c, 64)) }

func image() events.Image {
	return events.Image{
		Registry: "hub", Host: "docker.io", Repository: "library/alpine", Tags: []string{"3.20", "latest"},
		Digest: digest("a"), Platform: events.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"},
	}
}

func registryEvent(kind events.Kind, action events.Action, class events.Class) events.RegistryEvent {
	return events.RegistryEvent{
		Kind: kind, Registry: "hub", Host: "docker.io", Repository: "library/alpine", Tag: "3.20", Digest: digest("a"),
		MediaType: "application/vnd.oci.image.manifest.v1+json", Action: action, Class: class, OS: "linux",
		Architecture: "arm64", Actor: "Jürgen", Size: 1234, OccurredAt: at("05:06:07"), ReceivedAt: at("05:06:08"),
		DeliveryID: "delivery-1", Source: "distribution",
	}
}

func scanEvent(kind events.Kind) events.ScanEvent {
	d := events.ScanEvent{
		Kind: kind, Scan: string(digest("a")) + ".2", Image: image(), Generation: 2, Status: 2, Lane: events.LanePush,
		Rules: []string{"nightly"}, Attempt: 1, At: at("05:06:09"),
	}
	if kind == events.ScanStarted || kind == events.ScanInventoried {
		d.Worker = "worker-1"
	}
	if kind == events.ScanFailed {
		d.Status, d.Error = 0, "read layer: digest does not match"
	}
	return d
}

func completed() events.ScanCompleted {
	return events.ScanCompleted{
		Scan: string(digest("a")) + ".2", Image: image(), Inventory: digest("b"), Database: "20260304T000000Z-1a2b3c4d",
		Policy: "default-1", Status: 6,
		Summary: events.Counts{
			Critical: 1, High: 2, Medium: 3, Low: 4, Negligible: 5, Unknown: 6, Total: 21, Fixable: 7,
			MSR: events.MSRCounts{Critical: 3, Major: 3, Minor: 9},
		},
		Completeness: events.Completeness{Notes: []string{"ecosystem-not-covered"}}, Report: digest("c"),
		StartedAt: at("05:06:09"), CompletedAt: at("05:06:10"), Lane: events.LanePush, Rules: []string{"nightly"},
	}
}

func findings() events.FindingsChanged {
	change := func(id, severity string) []events.Change {
		return []events.Change{{ID: id, Package: "pkg:apk/alpine/musl@1.2.5-r0", Severity: severity, FixedVersion: "1.2.5-r1"}}
	}
	changed := change("CVE-2026-0003", "unknown")
	changed[0].Was = &events.Was{ID: "GHSA-1", Severity: "medium", FixedVersion: "1.2.6-r0"}
	return events.FindingsChanged{
		Image: image(), Cause: events.CauseDatabase, Counts: events.ChangeCounts{Added: 2, Removed: 3, Changed: 4},
		Added: change("CVE-2026-0001", "high"), Removed: change("CVE-2026-0002", "low"), Changed: changed,
		Before: digest("b"), Report: digest("c"),
	}
}

func imageEvent(kind events.Kind) events.ImageEvent {
	return events.ImageEvent{
		Kind: kind, Image: image(), Rules: []string{"nightly"}, Reason: "the registry answers 404",
		ExpiresAt: at("06:00:00"), At: at("05:06:11"),
	}
}

func sweepEvent(kind events.Kind) events.SweepEvent {
	return events.SweepEvent{
		Kind: kind, Sweep: "nightly.20260304T020000Z", Rule: "nightly", Registry: "hub",
		Counts:  events.SweepCounts{Repositories: 1, Tags: 2, Images: 3, Released: 4, Finished: 5, Failed: 6, Gone: 7},
		Partial: true, Error: "list tags: 503", At: at("05:06:12"),
	}
}

func imageRequested() events.ImageRequested {
	return events.ImageRequested{
		Request: "request-1", Registry: "hub", Repository: "library/alpine", Tag: "3.20", Digest: digest("a"),
		Platforms: []string{"linux/arm64/v8"}, Force: true, Actor: "admin",
	}
}

func sweepRequested() events.SweepRequested {
	due := at("02:00:00")
	return events.SweepRequested{Sweep: events.SweepKey("nightly", due), Rule: "nightly", DueAt: due}
}

func scanRequested() events.ScanRequested {
	return events.ScanRequested{Digest: digest("a"), Generation: 2, Lane: events.LaneSweep, OS: "linux", Pool: events.AnyPool}
}

func advisories() events.AdvisoriesUpdated {
	return events.AdvisoriesUpdated{
		Version: "20260304T000000Z-1a2b3c4d", Object: digest("d"), UpdatedAt: at("00:00:00"), Records: 500000, Skipped: 3,
		At: at("05:06:13"), Success: true,
		Replicas: []events.Replica{{Name: "worker-1", Version: "landwaiter/v1.2.3", Database: "20260304T000000Z-1a2b3c4d", DatabaseAt: at("00:00:00")}},
	}
}

// examples holds data with every field set, one for each kind.
func examples() map[events.Kind]events.Data {
	return map[events.Kind]events.Data{
		events.ImagePushed:       registryEvent(events.ImagePushed, events.ActionPush, events.ClassImage),
		events.ImageDeleted:      registryEvent(events.ImageDeleted, events.ActionDelete, events.ClassIndex),
		events.ImagePulled:       registryEvent(events.ImagePulled, events.ActionPull, events.ClassUnknown),
		events.LayerPushed:       registryEvent(events.LayerPushed, events.ActionPush, events.ClassLayer),
		events.RepositoryCreated: registryEvent(events.RepositoryCreated, events.ActionOther, events.ClassChart),
		events.RepositoryUpdated: registryEvent(events.RepositoryUpdated, events.ActionOther, events.ClassSignature),
		events.RepositoryDeleted: registryEvent(events.RepositoryDeleted, events.ActionOther, events.ClassReferrer),
		events.RegistryOther:     registryEvent(events.RegistryOther, events.ActionOther, events.ClassUnknown),

		events.KindImageRequested:   imageRequested(),
		events.KindSweepRequested:   sweepRequested(),
		events.KindScanRequested:    scanRequested(),
		events.KindVerdictRequested: events.VerdictRequested{Digest: digest("a"), Database: "20260304T000000Z-1a2b3c4d"},

		events.ScanQueued:      scanEvent(events.ScanQueued),
		events.ScanStarted:     scanEvent(events.ScanStarted),
		events.ScanInventoried: scanEvent(events.ScanInventoried),
		events.ScanFailed:      scanEvent(events.ScanFailed),
		events.ScanCancelled:   scanEvent(events.ScanCancelled),
		events.KindCompleted:   completed(),
		events.KindFindings:    findings(),
		events.ImageChanged:    imageEvent(events.ImageChanged),
		events.ImageGone:       imageEvent(events.ImageGone),
		events.ImageExpired:    imageEvent(events.ImageExpired),
		events.SweepStarted:    sweepEvent(events.SweepStarted),
		events.SweepCompleted:  sweepEvent(events.SweepCompleted),
		events.SweepFailed:     sweepEvent(events.SweepFailed),
		events.SweepCancelled:  sweepEvent(events.SweepCancelled),
		events.KindAdvisories:  advisories(),
	}
}

func meta() events.Meta {
	return events.Meta{
		ID: "fact-1", Source: "ingest/hub", Time: at("05:06:08").Add(123456789 * time.Nanosecond),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

func newEvent(tb testing.TB, d events.Data, m events.Meta) events.Event {
	tb.Helper()
	e, err := events.New(d, m)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// structured is a message in structured mode.
func structured(data string) events.Message {
	return events.Message{
		Header: map[string][]string{"Content-Type": {"application/cloudevents+json; charset=UTF-8"}},
		Data:   []byte(data),
	}
}

// checkEqual compares what two events say of themselves.
func checkEqual(tb testing.TB, got, want events.Event) {
	tb.Helper()
	type said struct {
		ID, Source, About, TraceParent string
		Kind                           events.Kind
		Time                           time.Time
		Data                           events.Data
	}
	of := func(e events.Event) said {
		return said{e.ID(), e.Source(), e.About(), e.TraceParent(), e.Kind(), e.Time(), e.Data()}
	}
	if diff := diffOf(of(want), of(got)); diff != "" {
		tb.Errorf("event differs (-want +got):\n%s", diff)
	}
}
