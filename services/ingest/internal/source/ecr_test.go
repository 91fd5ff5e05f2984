package source

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

const ecrTestHost = "210987654321.dkr.ecr.eu-north-1.amazonaws.com"

// bridge is an EventBridge event of a kind with these members of its detail.
func bridge(tb testing.TB, kind string, detail, more map[string]any) []byte {
	tb.Helper()
	e := map[string]any{
		"version": "0", "id": "event-1", "detail-type": kind, "source": "aws.ecr", "account": "210987654321",
		"time": "2026-10-01T10:00:00Z", "region": "eu-north-1", "resources": []string{}, "detail": detail,
	}
	maps.Copy(e, more)
	raw, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// image is the detail of an image action, with changes.
func image(action string, change ...string) map[string]any {
	d := map[string]any{"action-type": action, "result": "SUCCESS", "repository-name": "team/web", "image-digest": digestA, "image-tag": "1"}
	for i := 0; i+1 < len(change); i += 2 {
		d[change[i]] = change[i+1]
	}
	return d
}

// one is what a source says about a body, which must be one thing.
func one(t *testing.T, s Source, h http.Header, body []byte) (gist, Batch) {
	t.Helper()
	b, err := s.Parse(h, body, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	list := gists(b)
	if len(list) != 1 || len(b.Odd) > 0 {
		t.Fatalf("got %v, odd %v; want one thing", list, b.Odd)
	}
	return list[0], b
}

func TestECR(t *testing.T) {
	const action = "ECR Image Action"
	for _, tt := range []struct {
		name, kind string
		detail     map[string]any
		want       gist
	}{
		{"push", action, image("PUSH"), gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"push of an image", action, image("PUSH", "manifest-media-type", ociManifest, "artifact-media-type", ociConfig), gist{events.ImagePushed, events.ClassImage, "team/web:1@", ""}},
		{"push of an index", action, image("PUSH", "manifest-media-type", ociIndex), gist{events.ImagePushed, events.ClassIndex, "team/web:1@", ""}},
		{"push of a chart", action, image("PUSH", "manifest-media-type", ociManifest, "artifact-media-type", helmConfig), gist{events.RegistryOther, events.ClassChart, "team/web:1@", ""}},
		{"push of a signature", action, image("PUSH", "artifact-media-type", "application/vnd.cncf.notary.signature"), gist{events.RegistryOther, events.ClassSignature, "team/web:1@", ""}},
		{"push of an ORAS artifact", action, image("PUSH", "manifest-media-type", "application/vnd.cncf.oras.artifact.manifest.v1+json"), gist{events.RegistryOther, events.ClassReferrer, "team/web:1@", ""}},
		{"untagged push", action, image("PUSH", "image-tag", ""), gist{events.ImagePushed, events.ClassUnknown, "team/web@", ""}},
		{"push with half a digest", action, image("PUSH", "image-digest", "sha256:12"), gist{events.ImagePushed, events.ClassUnknown, "team/web:1", ""}},
		{"push of nothing", action, image("PUSH", "image-tag", "", "image-digest", ""), gist{Reason: NoReference}},
		{"refused push", action, image("PUSH", "result", "FAILURE"), gist{Reason: NotSuccessful}},
		{"push of unknown result", action, image("PUSH", "result", ""), gist{Reason: NotSuccessful}},
		{"delete", action, image("DELETE"), gist{events.ImageDeleted, "", "team/web:1@", ""}},
		{"delete of nothing valid is not the repository's", action, image("DELETE", "image-tag", "", "image-digest", "sha256:12"), gist{Reason: NoReference}},
		{"storage class", action, image("UPDATE_STORAGE_CLASS"), gist{events.RegistryOther, events.ClassUnknown, "team/web:1@", ""}},
		{"no repository", action, image("PUSH", "repository-name", "<name>"), gist{Reason: NoRepository}},
		{"cached", "ECR Pull Through Cache Action", image("", "sync-status", "SUCCESS", "result", ""), gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"not cached", "ECR Pull Through Cache Action", image("", "sync-status", "FAILURE", "result", ""), gist{Reason: NotSuccessful}},
		{"replicated", "ECR Replication Action", image("REPLICATE"), gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"not replicated", "ECR Replication Action", image("REPLICATE", "result", "FAILED"), gist{Reason: NotSuccessful}},
		{"scanned", "ECR Image Scan", map[string]any{"scan-status": "COMPLETE", "repository-name": "team/web", "image-tags": []string{"1"}, "image-digest": digestA}, gist{events.RegistryOther, events.ClassUnknown, "team/web:1@", ""}},
		{"scanned with tags", "ECR Image Scan", map[string]any{"repository-name": "team/web", "image-tags": []string{"1", "2"}}, gist{events.RegistryOther, events.ClassUnknown, "team/web", ""}},
		{"referrer", "ECR Referrer Action", image("PUSH", "image-tag", ""), gist{events.RegistryOther, events.ClassReferrer, "team/web@", ""}},
		{"repository as ARN", "Inspector2 Scan", map[string]any{"repository-name": "arn:aws:ecr:eu-north-1:210987654321:repository/team/web"}, gist{events.RegistryOther, events.ClassUnknown, "team/web", ""}},
		{"API call", "AWS API Call via CloudTrail", map[string]any{"requestParameters": map[string]any{"repositoryName": "team/web"}}, gist{events.RegistryOther, events.ClassUnknown, "team/web", ""}},
		{"kind of later", "ECR Something Else", image("PUSH"), gist{events.RegistryOther, events.ClassUnknown, "team/web:1@", ""}},
		{"members of a wrong type", action, map[string]any{"action-type": "PUSH", "result": "SUCCESS", "repository-name": "team/web", "image-tag": 7, "image-tags": "x", "image-digest": digestA, "requestParameters": 1}, gist{events.ImagePushed, events.ClassUnknown, "team/web@", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := one(t, ECR{Host: ecrTestHost}, nil, bridge(t, tt.kind, tt.detail, nil))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestECRFields(t *testing.T) {
	body := bridge(t, "ECR Image Action", image("PUSH", "manifest-media-type", ociManifest, "artifact-media-type", ociConfig), nil)
	_, b := one(t, ECR{}, nil, body)
	want := Fact{ID: "event-1", RegistryEvent: events.RegistryEvent{
		Kind: events.ImagePushed, Repository: "team/web", Tag: "1", Digest: digestA, MediaType: ociManifest, Action: events.ActionPush,
		Class: events.ClassImage, OccurredAt: time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC), DeliveryID: "event-1",
	}}
	if diff := cmp.Diff(want, b.Facts[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestECRMediaType: what is no manifest of an image is told by what it holds.
func TestECRMediaType(t *testing.T) {
	for _, tt := range []struct{ manifest, artifact, want string }{
		{ociManifest, helmConfig, ociManifest},
		{"application/vnd.cncf.oras.artifact.manifest.v1+json", "application/spdx+json", "application/spdx+json"},
		{"application/vnd.cncf.oras.artifact.manifest.v1+json", "", "application/vnd.cncf.oras.artifact.manifest.v1+json"},
		{"", "application/spdx+json", "application/spdx+json"},
		{"", "", ""},
	} {
		if got := (ecrDetail{Manifest: tt.manifest, Artifact: tt.artifact}).mediaType(); got != tt.want {
			t.Errorf("%q with %q: got %q, want %q", tt.manifest, tt.artifact, got, tt.want)
		}
	}
}

func TestECROtherRegistry(t *testing.T) {
	for _, tt := range []struct {
		host, account, region string
		other                 bool
	}{
		{ecrTestHost, "210987654321", "eu-north-1", false},
		{ecrTestHost, "210987654322", "eu-north-1", true},
		{ecrTestHost, "210987654321", "eu-west-1", true},
		{ecrTestHost, "", "", false},
		{"210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn", "210987654321", "cn-north-1", false},
		{"210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn", "1", "cn-north-1", true},
		{"210987654321.dkr.ecr-fips.us-east-1.amazonaws.com", "210987654321", "us-west-1", true},
		{"210987654321.dkr-ecr.us-east-1.on.aws", "210987654321", "us-west-1", true},
		{"mirror.example", "1", "anywhere", false},
		{"210987654321.dkr.ecr.eu-north-1.amazonaws.com.evil.example", "1", "anywhere", false},
	} {
		body := bridge(t, "ECR Image Action", image("PUSH"), map[string]any{"account": tt.account, "region": tt.region})
		got, _ := one(t, ECR{Host: tt.host}, nil, body)
		if (got.Reason == OtherRegistry) != tt.other {
			t.Errorf("%s, event of %q %q: got %v", tt.host, tt.account, tt.region, got)
		}
	}
}

// sns wraps a body as SNS does.
func sns(tb testing.TB, kind, message string) []byte {
	tb.Helper()
	raw, err := json.Marshal(map[string]string{
		"Type": kind, "MessageId": "message-1", "TopicArn": "arn:aws:sns:eu-north-1:210987654321:pushes", "Message": message,
		"SubscribeURL": "http://127.0.0.1:1/", "SigningCertURL": "http://127.0.0.1:1/",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestECRThroughSNS(t *testing.T) {
	event := bridge(t, "ECR Image Action", image("PUSH"), nil)
	nameless := bridge(t, "ECR Image Action", image("PUSH"), map[string]any{"id": ""})
	raw := http.Header{"X-Amz-Sns-Message-Type": {"Notification"}, "X-Amz-Sns-Rawdelivery": {"true"}, "X-Amz-Sns-Message-Id": {"message-2"}}
	for _, tt := range []struct {
		name string
		h    http.Header
		body []byte
		id   string
		want Reason
	}{
		{"wrapped", nil, sns(t, "Notification", string(event)), "event-1", ""},
		{"wrapped, without an id of its own", nil, sns(t, "Notification", string(nameless)), "message-1", ""},
		{"raw", raw, event, "event-1", ""},
		{"raw, without an id of its own", raw, nameless, "message-2", ""},
		{"raw, not said", nil, event, "event-1", ""},
		{"subscription", nil, sns(t, "SubscriptionConfirmation", "visit"), "", Handshake},
		{"subscription by its header", http.Header{"X-Amz-Sns-Message-Type": {"SubscriptionConfirmation"}}, []byte(`{}`), "", Handshake},
		{"end of the subscription", nil, sns(t, "UnsubscribeConfirmation", "visit"), "", Handshake},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, b := one(t, ECR{Host: ecrTestHost}, tt.h, tt.body)
			if got.Reason != tt.want {
				t.Fatalf("got %v, want reason %q", got, tt.want)
			}
			if tt.want == "" && (b.Facts[0].ID != tt.id || b.Facts[0].Kind != events.ImagePushed) {
				t.Errorf("got %s with id %q, want a push with id %q", b.Facts[0].Kind, b.Facts[0].ID, tt.id)
			}
		})
	}
}

func TestECRTransformed(t *testing.T) {
	const source = "urn:aws:ecr:eu-north-1:210987654321:repository/team/web"
	for _, tt := range []struct {
		name, kind, source, data string
		want                     gist
	}{
		{"push", "com.amazon.ecr.image.push", source, `{"repositoryName":"team/web","imageTag":"1","imageDigest":"` + digestA + `"}`, gist{events.ImagePushed, events.ClassUnknown, "team/web:1@", ""}},
		{"untagged", "com.amazon.ecr.image.push", source, `{"repositoryName":"team/web","imageTag":"","imageDigest":"` + digestA + `"}`, gist{events.ImagePushed, events.ClassUnknown, "team/web@", ""}},
		{"repository in the source only", "com.amazon.ecr.image.push", source, `{"imageTag":"1"}`, gist{events.ImagePushed, events.ClassUnknown, "team/web:1", ""}},
		{"delete", "com.amazon.ecr.image.delete", source, `{"imageTag":"1"}`, gist{events.ImageDeleted, "", "team/web:1", ""}},
		{"scan", "com.amazon.ecr.image.scan", source, `{"imageTag":"1"}`, gist{events.RegistryOther, events.ClassUnknown, "team/web:1", ""}},
		{"failed", "com.amazon.ecr.image.push", source, `{"imageTag":"1","result":"FAILURE"}`, gist{Reason: NotSuccessful}},
		{"other region", "com.amazon.ecr.image.push", "urn:aws:ecr:eu-west-1:210987654321:repository/a", `{"imageTag":"1"}`, gist{Reason: OtherRegistry}},
		{"other account in the data", "com.amazon.ecr.image.push", "bus", `{"repositoryName":"a","registryId":"1","imageTag":"1"}`, gist{Reason: OtherRegistry}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := `{"specversion":"1.0","id":"t-1","type":"` + tt.kind + `","source":"` + tt.source + `","data":` + tt.data + `}`
			got, _ := one(t, ECR{Host: ecrTestHost}, nil, []byte(body))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("structured (-want +got):\n%s", diff)
			}
			binary := http.Header{"Ce-Type": {tt.kind}, "Ce-Source": {tt.source}, "Ce-Id": {"t-1"}}
			if again, _ := one(t, ECR{Host: ecrTestHost}, binary, []byte(tt.data)); again != got {
				t.Errorf("binary: got %v, want %v", again, got)
			}
		})
	}
}

func TestECRListBearsABrokenEvent(t *testing.T) {
	good := string(bridge(t, "ECR Image Action", image("PUSH"), nil))
	bad := `{"detail-type":"ECR Image Action","detail":7}`
	b, err := ECR{}.Parse(nil, []byte(`[`+bad+`,`+good+`,"x"]`), time.Now())
	if err != nil || len(b.Facts) != 1 || len(b.Odd) != 2 || string(b.Odd[0].Body) != bad {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestECRNotAnEvent(t *testing.T) {
	for _, body := range []string{
		"", "7", `"x"`, "null", "{}", `{"detail-type":"ECR Image Action"}`, `{"detail-type":"x","detail":[]}`,
		`{"type":"unheard.of","data":{}}`, string(sns(t, "Notification", "hello")), strings.Repeat("[", 20000),
	} {
		if b, err := (ECR{}).Parse(nil, []byte(body), time.Now()); err == nil {
			t.Errorf("body %.40q: %v, no error", body, b)
		}
	}
}

func FuzzECR(f *testing.F) {
	event := bridge(f, "ECR Image Action", image("PUSH", "artifact-media-type", ociConfig), nil)
	f.Add(event)
	f.Add(sns(f, "Notification", string(event)))
	f.Add([]byte(`{"type":"com.amazon.ecr.image.push","source":"urn:aws:ecr:r:a:repository/a","data":{"imageTag":"1"}}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkValid(t, ECR{Host: ecrTestHost}, body) })
}
