package source

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

const (
	harborRepo   = `"repository":{"date_created":1,"name":"web","namespace":"team","repo_full_name":"team/web","repo_type":"private"}`
	harborTag    = `{"digest":"` + digestA + `","tag":"1","resource_url":"harbor.example/team/web:1"}`
	harborDigest = `{"digest":"` + digestA + `","tag":"` + digestA + `","resource_url":"harbor.example/team/web@` + digestA + `"}`
	harborTagged = `"resources":[` + harborTag + `],` + harborRepo
)

// harborBody is an event in Harbor's own format.
func harborBody(kind, data string) string {
	return `{"type":"` + kind + `","occur_at":1790848800,"operator":"alice","event_data":{` + data + `}}`
}

// harborCloudEvent is the same as a CloudEvent.
func harborCloudEvent(kind, data string) string {
	return `{"specversion":"1.0","id":"h-1","requestid":"r-1","source":"/projects/2/webhook/policies/15","type":"harbor.` + kind + `",` +
		`"datacontenttype":"application/json","time":"2026-10-01T10:00:00Z","operator":"alice","data":{` + data + `}}`
}

func TestHarborTypes(t *testing.T) {
	image := func(k events.Kind, c events.Class) gist { return gist{k, c, "team/web:1@", ""} }
	pushed, pulled := image(events.ImagePushed, events.ClassUnknown), image(events.ImagePulled, "")
	deleted, other := image(events.ImageDeleted, ""), image(events.RegistryOther, events.ClassUnknown)
	chart := image(events.RegistryOther, events.ClassChart)
	for _, tt := range []struct {
		own, cloud string
		want       gist
	}{
		{"PUSH_ARTIFACT", "artifact.pushed", pushed},
		{"PULL_ARTIFACT", "artifact.pulled", pulled},
		{"DELETE_ARTIFACT", "artifact.deleted", deleted},
		{"SCANNING_COMPLETED", "scan.completed", other},
		{"SCANNING_FAILED", "scan.failed", other},
		{"SCANNING_STOPPED", "scan.stopped", other},
		{"QUOTA_EXCEED", "quota.exceeded", other},
		{"QUOTA_WARNING", "quota.warned", other},
		{"pushImage", "", pushed},
		{"pullImage", "", pulled},
		{"deleteImage", "", deleted},
		{"UPLOAD_CHART", "", chart},
		{"downloadChart", "", chart},
		{"DELETE_CHART", "", chart},
		{"LATER_VERSION", "later.version", other},
	} {
		bodies := []string{harborBody(tt.own, harborTagged)}
		if tt.cloud != "" {
			bodies = append(bodies, harborCloudEvent(tt.cloud, harborTagged))
		}
		for _, body := range bodies {
			b, err := Harbor{}.Parse(nil, []byte(body), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]gist{tt.want}, gists(b)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.own, diff)
			}
		}
	}
}

func TestHarborData(t *testing.T) {
	push := func(ref string) gist { return gist{events.ImagePushed, events.ClassUnknown, ref, ""} }
	said := func(ref string) gist { return gist{events.RegistryOther, events.ClassUnknown, ref, ""} }
	for _, tt := range []struct {
		name, kind, data string
		want             []gist
	}{
		{"without a tag", "PUSH_ARTIFACT", `"resources":[` + harborDigest + `],` + harborRepo, []gist{push("team/web@")}},
		{"two resources", "PUSH_ARTIFACT", `"resources":[` + harborTag + `,` + harborDigest + `],` + harborRepo, []gist{push("team/web:1@"), push("team/web@")}},
		{"repository of namespace and name", "PUSH_ARTIFACT", `"resources":[` + harborTag + `],"repository":{"namespace":"team","name":"deep/web"}`, []gist{push("team/deep/web:1@")}},
		{"repository of the URL", "PUSH_ARTIFACT", `"resources":[{"tag":"1","resource_url":"harbor/team/web:1"},{"tag":"2","resource_url":"https://harbor.example:8443/x.y/web:2"}]`, []gist{push("team/web:1"), push("x.y/web:2")}},
		{"the tag counts more than the URL's", "PUSH_ARTIFACT", `"resources":[{"tag":"1","resource_url":"harbor.example/x/y:2"}],` + harborRepo, []gist{push("team/web:1")}},
		{"tag of the URL alone", "PUSH_ARTIFACT", `"resources":[{"resource_url":"harbor.example/team/web:1"}]`, []gist{push("team/web:1")}},
		{"digest joined by a colon", "PUSH_ARTIFACT", `"resources":[{"resource_url":"harbor.example/team/web:` + digestA + `"}]`, []gist{push("team/web@")}},
		{"signature", "PUSH_ARTIFACT", `"resources":[{"tag":"sha256-` + hexA + `.sig"}],` + harborRepo, []gist{{events.RegistryOther, events.ClassSignature, "team/web:sha256-" + hexA + ".sig", ""}}},
		{"no resources", "PUSH_ARTIFACT", harborRepo, []gist{{Reason: NoReference}}},
		{"nowhere", "PUSH_ARTIFACT", `"resources":[{"tag":"1"}]`, []gist{{Reason: NoRepository}}},
		{"odd resources", "PUSH_ARTIFACT", `"resources":[7,{"tag":7,"digest":"` + digestA + `"},` + harborTag + `],` + harborRepo, []gist{push("team/web@"), push("team/web:1@"), {Reason: NoReference}}},
		{"resources of an odd type", "PUSH_ARTIFACT", `"resources":"x",` + harborRepo, []gist{{Reason: NoReference}}},
		{"chart", "UPLOAD_CHART", `"resources":[{"tag":"1","resource_url":"https://harbor.example/chartrepo/team/charts/web-1.tgz"}],` + harborRepo, []gist{{events.RegistryOther, events.ClassChart, "team/web:1", ""}}},
		{"chart's URL is no repository", "UPLOAD_CHART", `"resources":[{"tag":"1","resource_url":"https://harbor.example/chartrepo/team/charts/web-1.tgz"}]`, []gist{{events.RegistryOther, events.ClassChart, ":1", ""}}},
		{"scan without a tag", "SCANNING_COMPLETED", `"resources":[{"digest":"` + digestA + `","resource_url":"harbor.example/team/web@` + digestA + `","scan_overview":{"x":{"y":1}}}],` + harborRepo, []gist{said("team/web@")}},
		{"quota", "QUOTA_WARNING", `"custom_attributes":{"Details":"x"},"resources":[{"digest":"` + digestA + `"}],` + harborRepo, []gist{said("team/web@")}},
		{"replication", "REPLICATION", `"replication":{"job_status":"Success"}`, []gist{said("")}},
		{"retention", "TAG_RETENTION", `"retention":{"deleted_artifact":[{"name_tag":"web:1"}]}`, []gist{said("")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := Harbor{}.Parse(nil, []byte(harborBody(tt.kind, tt.data)), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, gists(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHarborFields(t *testing.T) {
	want := Fact{RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "team/web", Tag: "1", Digest: digestA, Action: events.ActionPush,
		Class: events.ClassUnknown, Actor: "alice", OccurredAt: time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC),
	}}
	binary := http.Header{"Ce-Id": {"h-1"}, "Ce-Type": {"harbor.artifact.pushed"}, "Ce-Time": {"2026-10-01T10:00:00Z"}, "Ce-Operator": {"alice"}}
	for _, tt := range []struct {
		name, body, id string
		header         http.Header
	}{
		{"own", harborBody("PUSH_ARTIFACT", harborTagged), "", nil},
		{"structured", harborCloudEvent("artifact.pushed", harborTagged), "h-1", nil},
		{"list", "[" + harborCloudEvent("artifact.pushed", harborTagged) + "]", "h-1", nil},
		{"binary", "{" + harborTagged + "}", "h-1", binary},
	} {
		b, err := Harbor{}.Parse(tt.header, []byte(tt.body), time.Now())
		if err != nil || len(b.Facts) != 1 {
			t.Fatalf("%s: %v, %v", tt.name, b, err)
		}
		got := b.Facts[0]
		want.ID, want.DeliveryID = tt.id, tt.id
		if tt.id == "" { // TestHarborIDs
			got.ID = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestHarborIDs: Harbor sends the same bytes again where it got no answer.
func TestHarborIDs(t *testing.T) {
	two := `"resources":[` + harborTag + `,` + harborDigest + `],` + harborRepo
	later := strings.Replace(harborBody("PUSH_ARTIFACT", harborTagged), "1790848800", "1790848801", 1)
	seen := map[string]bool{}
	for _, body := range []string{
		harborBody("PUSH_ARTIFACT", harborTagged), later,
		harborBody("SCANNING_COMPLETED", harborTagged), harborBody("SCANNING_STOPPED", harborTagged),
		harborBody("SCANNING_COMPLETED", harborTagged+`,"scan":{"scan_type":"sbom"}`),
		harborBody("REPLICATION", `"replication":{"job_status":"Success"}`), harborBody("REPLICATION", `"replication":{"job_status":"Failed"}`),
		harborBody("UPLOAD_CHART", `"resources":[{"tag":"1","resource_url":"https://h.example/chartrepo/team/charts/web-1.tgz"}]`),
		harborBody("DELETE_ARTIFACT", two), harborCloudEvent("artifact.pushed", two), harborCloudEvent("scan.completed", harborTagged),
	} {
		first, again := harborIDs(t, body), harborIDs(t, body)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("%s: two deliveries of one fact (-first +second):\n%s", body, diff)
		}
		for _, id := range first {
			if id == "" || seen[id] {
				t.Errorf("%s: id %q is not its own", body, id)
			}
			seen[id] = true
		}
	}
	for _, body := range []string{
		harborBody("PUSH_ARTIFACT", `"resources":[{"tag":"1"}],`+harborRepo), // the tag may have moved
		strings.Replace(harborBody("PUSH_ARTIFACT", harborTagged), "1790848800", "null", 1),
	} {
		if ids := harborIDs(t, body); len(ids) != 1 || ids[0] != "" {
			t.Errorf("%s has the ids %q, want none", body, ids)
		}
	}
}

func harborIDs(t *testing.T, body string) []string {
	t.Helper()
	b, err := Harbor{}.Parse(nil, []byte(body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range b.Facts {
		ids = append(ids, f.ID)
	}
	return ids
}

func TestHarborNotAPayload(t *testing.T) {
	for _, body := range []string{
		"", "null", "{}", "7", `{"type":"PUSH_ARTIFACT"}`, `{"type":"PUSH_ARTIFACT","event_data":[]}`, `{"event_data":{}}`,
		`{"event_type":"pushImage","events":[{"project":"team"}]}`, // a shape that is documented, and sent by no version
		harborBody("PUSH_ARTIFACT", `"resources":[`+strings.Repeat("{},", mostParts)+`{}]`),
	} {
		if b, err := (Harbor{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %.60q: %v, no error", body, b)
		}
	}
}

func FuzzHarbor(f *testing.F) {
	f.Add([]byte(harborBody("PUSH_ARTIFACT", harborTagged)))
	f.Add([]byte(harborBody("REPLICATION", `"replication":{}`)))
	f.Add([]byte(harborBody("UPLOAD_CHART", `"resources":[{"resource_url":"https://h/chartrepo/a/charts/b-1.tgz"}]`)))
	f.Add([]byte(harborCloudEvent("artifact.deleted", `"resources":[`+harborTag+`,`+harborDigest+`]`)))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, Harbor{}, body) })
}
