package report_test

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

func TestProblems(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.cfg.Hosts = []string{"scans.example"}
	if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, "file-hub", state.Managed[config.Registry]{
		Value: config.Registry{Name: "file-hub", Address: "registry.test"}, ManagedBy: state.ManagedByFile,
	}); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.shows("", 0)
	bearer := "Bearer " + adminToken
	for _, tt := range []struct {
		name, method, path, body string
		header                   http.Header
		host                     string
		status                   int
		says                     string
	}{
		{name: "no token", path: "/api/v1/images", status: 401, says: "no valid admin token"},
		{name: "wrong token", path: "/api/v1/images", header: http.Header{"Authorization": {"Bearer nonsense"}}, status: 401},
		{name: "foreign host", path: "/api/v1/images", host: "evil.example", header: http.Header{"Authorization": {bearer}}, status: 403, says: "LANDWAITER_HOSTS"},
		{name: "foreign host on the login page", path: "/login", host: "evil.example:8080", status: 403},
		{name: "configured host", path: "/login", host: "scans.example", status: 200},
		{name: "loopback name", path: "/login", host: "localhost:8080", status: 200},
		{
			name: "another site's page", method: "POST", path: "/api/v1/rebuild", status: 403, says: "another site",
			header: http.Header{"Authorization": {bearer}, "Origin": {"https://evil.example"}},
		},
		{name: "unknown address", path: "/api/v1/nothing", header: http.Header{"Authorization": {bearer}}, status: 404, says: "openapi.json"},
		{name: "bad digest", path: "/api/v1/images/latest", header: http.Header{"Authorization": {bearer}}, status: 400, says: "digest"},
		{name: "unknown image", path: "/api/v1/reports/" + string(digest(9)), header: http.Header{"Authorization": {bearer}}, status: 404, says: "landwaiter scan"},
		{name: "bad filter", path: "/api/v1/images?colour=red", header: http.Header{"Authorization": {bearer}}, status: 400, says: "colour"},
		{name: "bad severity", path: "/api/v1/images?severity=bad", header: http.Header{"Authorization": {bearer}}, status: 400, says: "critical"},
		{name: "form that is not there", path: "/api/v1/reports/" + string(digest(9)) + "?format=word", header: http.Header{"Authorization": {bearer}}, status: 406, says: "cyclonedx"},
		{name: "form that is not accepted", path: "/api/v1/reports/" + string(digest(9)), header: http.Header{"Authorization": {bearer}, "Accept": {"image/png"}}, status: 406, says: "image/png"},
		{
			name: "unknown registry", method: "POST", path: "/api/v1/scans", body: `{"image":"other.test/app:1"}`,
			header: http.Header{"Authorization": {bearer}}, status: 404, says: "landwaiter apply",
		},
		{
			name: "bad reference", method: "POST", path: "/api/v1/scans", body: `{"image":"registry.test/App"}`,
			header: http.Header{"Authorization": {bearer}}, status: 400, says: "repository",
		},
		{
			name: "unknown field", method: "POST", path: "/api/v1/scans", body: `{"image":"a","urgent":true}`,
			header: http.Header{"Authorization": {bearer}}, status: 400, says: "urgent",
		},
		{
			name: "body too large", method: "POST", path: "/api/v1/scans", body: `{"image":"` + strings.Repeat("a", 2<<20) + `"}`,
			header: http.Header{"Authorization": {bearer}}, status: 413,
		},
		{
			name: "object of the file", method: "DELETE", path: "/api/v1/registries/file-hub",
			header: http.Header{"Authorization": {bearer}}, status: 409, says: "configuration file",
		},
		{name: "unknown rule", method: "POST", path: "/api/v1/sweeps", body: `{"rule":"weekly"}`, header: http.Header{"Authorization": {bearer}}, status: 404},
		{name: "webhook without ingest", path: "/api/v1/registries/file-hub/webhook", header: http.Header{"Authorization": {bearer}}, status: 404, says: "LANDWAITER_PUBLIC_INGEST"},
		{name: "contract", path: "/api/v1/openapi.json", header: http.Header{"Authorization": {bearer}}, status: 200, says: "openapi"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, r.url+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(req.Header, tt.header)
			if tt.host != "" {
				req.Host = tt.host
			}
			res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			raw, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.status || !strings.Contains(string(raw), tt.says) {
				t.Fatalf("answer is %s: %.300s, want %d and %q", res.Status, raw, tt.status, tt.says)
			}
			if tt.status < 400 {
				return
			}
			var p struct {
				Title, Detail string
				Status        int
			}
			if err := json.Unmarshal(raw, &p); err != nil || p.Title == "" || p.Detail == "" || p.Status != tt.status {
				t.Errorf("problem is %+v, %v", p, err)
			}
			if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type is %q", got)
			}
		})
	}
}

func TestImageWithoutReportIsNeverClean(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.putPlace(place(1))
	r.putJob(1, state.JobFailed, "read layer: digest does not match")
	r.putPlace(place(2))
	r.putJob(2, state.JobQueued, "")
	r.putPlace(place(3)) // a failed scan over an older report
	r.putReport(3, sample(3))
	r.putJob(3, state.JobFailed, "registry refused")
	r.start()
	for _, tt := range []struct {
		n        int
		status   verdict.Status
		err      string
		findings int
	}{{1, verdict.Failed, "digest does not match", 0}, {2, verdict.Pending, "", 0}, {3, verdict.Failed, "refused", 1}} {
		var rep verdict.Report
		r.call(http.MethodGet, "/api/v1/reports/"+string(digest(tt.n)), nil, &rep)
		if rep.Status != tt.status || !strings.Contains(rep.Error, tt.err) || len(rep.Findings) != tt.findings {
			t.Errorf("report %d has status %d, error %q, %d findings", tt.n, rep.Status, rep.Error, len(rep.Findings))
		}
		if rep.Completeness.Complete || len(rep.Completeness.Notes) == 0 || rep.Packages == nil {
			t.Errorf("report %d claims completeness %+v", tt.n, rep.Completeness)
		}
	}
}

func TestEventsAreStreamedOnceTheViewShowsThem(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.start()
	r.shows("", 0)
	follow := func(last string) *bufio.Scanner {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/api/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+adminToken)
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Fatalf("Content-Type is %q", got)
		}
		return bufio.NewScanner(res.Body)
	}
	next := func(s *bufio.Scanner) (id, kind string) {
		for s.Scan() {
			switch name, value, _ := strings.Cut(s.Text(), ": "); name {
			case "id":
				id = value
			case "event":
				return id, value
			}
		}
		t.Fatalf("stream ended: %v", s.Err())
		return "", ""
	}
	s := follow("")
	for n, kind := range []events.Kind{events.ScanQueued, events.ScanStarted} {
		r.putPlace(place(n))
		r.announce(kind, n, string(kind))
		_, got := next(s)
		if got != string(kind) {
			t.Errorf("event %d is %s, want %s", n, got, kind)
		}
		if l := r.list("?repository=acme/app" + string(rune('0'+n))); len(l.Images) != 1 {
			t.Errorf("the view does not show what %s told", kind)
		}
	}
	if id, got := next(follow("1")); id != "2" || got != string(events.ScanStarted) {
		t.Errorf("after event 1 came %s %s", id, got)
	}
	r.stop() // ends the streams, and in time
}

func TestConsole(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.putPlace(place(1))
	r.putReport(1, sample(1))
	evil := sample(2)
	evil.Packages[0].Name = "<script>alert(1)</script>"
	evil.Completeness = verdict.Completeness{Notes: []verdict.Note{{Code: verdict.NoteLayerPartial, Message: "a limit was hit"}}}
	r.putPlace(place(2))
	r.putReport(2, evil)
	r.putPlace(place(3))
	r.start()
	r.shows("", 3)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	get := func(path string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	if page := get("/"); !strings.Contains(page, `name="token"`) {
		t.Fatalf("without a session the page is %s", page)
	}
	for token, refused := range map[string]bool{"wrong": true, adminToken: false} {
		res, err := client.PostForm(r.url+"/login", url.Values{"token": {token}, "next": {"//evil.example"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if (res.StatusCode == http.StatusUnauthorized) != refused {
			t.Errorf("login with %q: %s", token, res.Status)
		}
	}
	for path, want := range map[string][]string{
		"/":                            {"acme/app1", "acme/app3", "not known", "incomplete"},
		"/?q=CVE-2026-0001":            {"acme/app1"},
		"/?q=app2":                     {"acme/app2"},
		"/?q=nothing":                  {"Nothing matches"},
		"/?severity=critical":          {"Nothing matches"},
		"/?status=not+scanned":         {"acme/app3"},
		"/images/" + string(digest(1)): {"CVE-2026-0001", "libssl3", "3.0.9-2", "#0"},
		"/images/" + string(digest(1)) + "?tab=packages": {"openssl", "Debian:12"},
		"/images/" + string(digest(1)) + "?tab=layers":   {"ADD rootfs.tar /", "30.0 MiB"},
		"/images/" + string(digest(2)):                   {"Not everything was looked at", "a limit was hit", "&lt;script&gt;"},
		"/images/" + string(digest(3)):                   {"Nothing is known about this image yet"},
		"/images/" + string(digest(9)):                   {"This image is not known"},
		"/static/live.js":                                {"EventSource"},
		"/api/v1/images":                                 {`"images"`},
	} {
		page := get(path)
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s lacks %q", path, text)
			}
		}
		if strings.Contains(page, "<script>alert") || strings.Contains(page, "Nothing found.</strong>") {
			t.Errorf("%s shows what it must not", path)
		}
	}
}

func TestTokenIsGeneratedOnce(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	var announced []string
	r.cfg.AdminToken, r.cfg.AnnounceToken = "", func(token string) { announced = append(announced, token) }
	ready := func() {
		r.eventually("serving", func() string {
			if r.call(http.MethodGet, "/api/v1/images", nil, nil).StatusCode == http.StatusUnauthorized {
				return ""
			}
			return "no answer yet"
		})
	}
	r.start()
	ready()
	r.stop()
	r.start()
	ready()
	r.stop()
	if len(announced) != 1 || len(announced[0]) < 20 {
		t.Fatalf("announced %d tokens, want one in the installation's life", len(announced))
	}
	rec, err := r.state.Tokens.Get(t.Context(), state.AdminToken)
	if err != nil || strings.Contains(rec.Value.SHA256, announced[0]) || len(rec.Value.SHA256) != 64 {
		t.Errorf("stored token is %+v, %v", rec.Value, err)
	}
}
