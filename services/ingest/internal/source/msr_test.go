package source

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

// msrBody is an event of this type with these contents.
func msrBody(kind, contents string) string {
	return `{"type":"` + kind + `","createdAt":"2026-10-01T10:00:00.5Z","contents":{` + contents + `},"location":"/repositories/team/web"}`
}

const (
	msrRepo   = `"namespace":"team","repository":"web"`
	msrTagged = msrRepo + `,"tag":"1","digest":"` + digestA + `","imageName":"192.0.2.1:4443/team/web:1","os":"linux","architecture":"arm64","author":"alice"`
	msrImage  = msrRepo + `,"digest":"` + digestA + `","imageName":"msr.example/team/web@` + digestA + `"`
)

func TestMSR(t *testing.T) {
	const tagged, whole = "team/web:1@", "team/web"
	said := func(ref string) gist { return gist{events.RegistryOther, events.ClassUnknown, ref, ""} }
	for _, tt := range []struct {
		kind, contents string
		want           gist
	}{
		{"TAG_PUSH", msrTagged, gist{events.ImagePushed, events.ClassUnknown, tagged, ""}},
		{"TAG_PULL", msrTagged, gist{events.ImagePulled, "", tagged, ""}},
		{"TAG_DELETE", msrTagged, gist{events.ImageDeleted, "", tagged, ""}},
		{"MANIFEST_PUSH", msrImage, gist{events.ImagePushed, events.ClassUnknown, "team/web@", ""}},
		{"MANIFEST_PULL", msrImage, gist{events.ImagePulled, "", "team/web@", ""}},
		{"MANIFEST_DELETE", msrImage, gist{events.ImageDeleted, "", "team/web@", ""}},
		{"SCAN_COMPLETED", msrRepo + `,"tag":"1","scanSummary":{"critical":1}`, said("team/web:1")},
		{"SCAN_FAILED", msrRepo + `,"tag":"1","error":"x"`, said("team/web:1")},
		{"PROMOTION", msrTagged, said(tagged)},
		{"PUSH_MIRRORING", msrTagged, said(tagged)},
		{"POLL_MIRRORING", msrTagged, said(tagged)},
		{"POLL_MIRRORING", `"error":"x"`, gist{Reason: NotAnImage}},
		{"REPO_EVENT", msrRepo + `,"event":"REPO_CREATED"`, gist{events.RepositoryCreated, "", whole, ""}},
		{"REPO_EVENT", msrRepo + `,"event":"REPO_UPDATED"`, gist{events.RepositoryUpdated, "", whole, ""}},
		{"REPO_EVENT", msrRepo + `,"event":"REPO_DELETED"`, gist{events.RepositoryDeleted, "", whole, ""}},
		{"REPO_EVENT", msrRepo + `,"event":"REPO_PAINTED"`, said(whole)},
		{"REPO_EVENT", `"event":"REPO_CREATED"`, gist{Reason: NoRepository}},
		{"REPO_CREATED", msrRepo, gist{events.RepositoryCreated, "", whole, ""}},
		{"REPO_UPDATED", msrRepo, gist{events.RepositoryUpdated, "", whole, ""}},
		{"REPO_DELETED", msrTagged, gist{events.RepositoryDeleted, "", whole, ""}},
		{"SCANNER_UPDATE_COMPLETED", `"scanner_version":"3","success":true`, said("")},
		{"LATER_VERSION", msrTagged, said(tagged)},
		{"LATER_VERSION", "", gist{Reason: UnknownEvent}},
		{"TAG_PUSH", "", gist{Reason: NoRepository}},
		{"TAG_PUSH", msrRepo, gist{Reason: NoReference}},
		{"TAG_PUSH", msrRepo + `,"tag":"sha256-` + hexA + `.sig"`, gist{events.RegistryOther, events.ClassSignature, "team/web:sha256-" + hexA + ".sig", ""}},
	} {
		t.Run(tt.kind+" "+tt.want.Ref, func(t *testing.T) {
			b, err := MSR{}.Parse(nil, []byte(msrBody(tt.kind, tt.contents)), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]gist{tt.want}, gists(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMSRImageName: it has a host only where its first part looks like one.
func TestMSRImageName(t *testing.T) {
	for name, want := range map[string]string{
		"192.0.2.1:4443/team/web:1":       "team/web:1",
		"msr.example/team/web:1":          "team/web:1",
		"localhost/team/web:1":            "team/web:1",
		"[2001:db8::1]:443/team/web:":     "",
		"team/web:1":                      "team/web:1",
		"msr.example/team/web@" + digestA: "team/web@",
	} {
		b, err := MSR{}.Parse(nil, []byte(msrBody("TAG_PUSH", `"imageName":"`+name+`"`)), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := gists(b)[0].Ref; got != want {
			t.Errorf("%s is read as %q, want %q", name, got, want)
		}
	}
}

func TestMSRFields(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 10, 1, 9, 0, second, 0, time.UTC) }
	created := time.Date(2026, 10, 1, 10, 0, 0, 500000000, time.UTC)
	for _, tt := range []struct {
		kind, more string
		want       time.Time
	}{
		{"TAG_PUSH", `,"pushedAt":"2026-10-01T09:00:01Z"`, at(1)},
		{"TAG_DELETE", `,"deletedAt":"2026-10-01T09:00:02Z","pushedAt":"2026-10-01T09:00:01Z"`, at(2)},
		{"SCAN_COMPLETED", `,"scanSummary":{"check_completed_at":"2026-10-01T09:00:03Z","last_scan_status":6}`, at(3)},
		{"SCAN_FAILED", `,"scanSummary":[],"pushedAt":7e99,"deletedAt":"0001-01-01T00:00:00Z"`, created},
	} {
		b, err := MSR{}.Parse(nil, []byte(msrBody(tt.kind, msrTagged+tt.more)), time.Now())
		if err != nil || len(b.Facts) != 1 {
			t.Fatalf("%s: %v, %v", tt.kind, b, err)
		}
		f := b.Facts[0]
		got := events.RegistryEvent{OS: f.OS, Architecture: f.Architecture, Actor: f.Actor, OccurredAt: f.OccurredAt, DeliveryID: f.DeliveryID}
		want := events.RegistryEvent{OS: "linux", Architecture: "arm64", Actor: "alice", OccurredAt: tt.want}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.kind, diff)
		}
	}
}

func TestMSRIDs(t *testing.T) {
	parse := func(body string) string {
		b, err := MSR{}.Parse(nil, []byte(body), time.Now())
		if err != nil || len(b.Facts) != 1 {
			t.Fatalf("%v, %v", b, err)
		}
		return b.Facts[0].ID
	}
	facts := []string{
		msrBody("TAG_PUSH", msrTagged),
		msrBody("MANIFEST_PUSH", msrTagged),
		msrBody("TAG_PUSH", msrImage),
		msrBody("SCAN_COMPLETED", msrRepo+`,"tag":"1"`),
		msrBody("REPO_EVENT", msrRepo+`,"event":"REPO_CREATED"`),
		msrBody("REPO_EVENT", msrRepo+`,"event":"REPO_DELETED"`),
		msrBody("SCANNER_UPDATE_COMPLETED", ""),
		`{"type":"TAG_PUSH","createdAt":"2026-10-01T10:00:01Z","contents":{` + msrTagged + `}}`,
	}
	seen := map[string]string{}
	for _, body := range facts {
		id := parse(body)
		if id == "" || id != parse(body) {
			t.Errorf("%s has no id of its own: %q", body, id)
		}
		if other := seen[id]; other != "" {
			t.Errorf("%s has the id of %s", body, other)
		}
		seen[id] = body
	}
	for _, body := range []string{
		msrBody("TAG_PUSH", msrRepo+`,"tag":"1"`), // the tag may have moved
		`{"type":"TAG_PUSH","createdAt":"soon","contents":{` + msrTagged + `}}`,
	} {
		if id := parse(body); id != "" {
			t.Errorf("%s has the id %q, want none", body, id)
		}
	}
}

// TestMSRVersion4 is Harbor under MSR's name.
func TestMSRVersion4(t *testing.T) {
	for _, body := range []string{
		harborBody("PUSH_ARTIFACT", harborTagged),
		harborCloudEvent("artifact.pushed", harborTagged),
	} {
		b, err := MSR{}.Parse(nil, []byte(body), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]gist{{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}}, gists(b)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestMSRNotAPayload(t *testing.T) {
	for _, body := range []string{"", "null", "{}", "[]", "7", `{"contents":{}}`, `{"type":7}`, `{"type":"TAG_PUSH",}`} {
		if b, err := (MSR{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %q: %v, no error", body, b)
		}
	}
}

func FuzzMSR(f *testing.F) {
	f.Add([]byte(msrBody("TAG_PUSH", msrTagged)))
	f.Add([]byte(msrBody("MANIFEST_DELETE", msrImage)))
	f.Add([]byte(msrBody("REPO_EVENT", msrRepo+`,"event":"REPO_CREATED"`)))
	f.Add([]byte(msrBody("SCANNER_UPDATE_COMPLETED", "")))
	f.Add([]byte(harborBody("PUSH_ARTIFACT", harborTagged)))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, MSR{}, body) })
}
