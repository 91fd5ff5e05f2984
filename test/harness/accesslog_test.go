package harness

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAccessLog(t *testing.T) {
	log := `127.0.0.1 - - [20/Nov/2026:20:14:05 +0000] "GET /v2/ HTTP/1.1" 200 2 "" "go-containerregistry/v0.22.1"
time="2026-11-20T20:14:05Z" level=info msg="not a request"
127.0.0.1 - - [20/Nov/2026:20:14:06 +0000] "HEAD /v2/team/app/blobs/sha256:ab HTTP/1.1" 404 157 "http://x/\"y\"" "curl \"7\""
127.0.0.1 - user [20/Nov/2026:20:14:06 +0000] "PUT /v2/team/app/manifests/1?x=%2F HTTP/1.1" 201 0 "" ""
`
	want := []Request{
		{Method: "GET", Path: "/v2/", Status: 200, Agent: "go-containerregistry/v0.22.1"},
		{Method: "HEAD", Path: "/v2/team/app/blobs/sha256:ab", Status: 404, Agent: `curl \"7\"`},
		{Method: "PUT", Path: "/v2/team/app/manifests/1?x=%2F", Status: 201},
	}
	if diff := cmp.Diff(want, parseAccessLog(log)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
