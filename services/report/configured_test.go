package report_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

func TestConfiguredObjects(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.cfg.WebhookURL = func(reg config.Registry) (string, error) { return "http://ingest.test/hooks/" + reg.Name + "/s", nil }
	r.start()
	const path = "/api/v1/registries/mine"
	res := r.call(http.MethodPut, path, map[string]any{"address": "registry.test"}, nil)
	if res.StatusCode != http.StatusCreated || res.Header.Get("ETag") == "" {
		t.Fatalf("PUT: %s, ETag %q", res.Status, res.Header.Get("ETag"))
	}
	var got map[string]any
	r.call(http.MethodGet, path, nil, &got)
	if got["managedBy"] != "api" || got["address"] != "registry.test" {
		t.Errorf("GET: %v", got)
	}
	if res := r.call(http.MethodPut, path, got, nil); res.StatusCode != http.StatusOK {
		t.Errorf("PUT of what GET gave: %s", res.Status)
	}
	if res := r.call(http.MethodPut, path, map[string]any{"colour": "registry.test"}, nil); res.StatusCode != http.StatusBadRequest {
		t.Errorf("PUT with a slip: %s", res.Status)
	}
	if res := r.call(http.MethodPut, "/api/v1/rules/nightly", map[string]any{"registry": "other"}, nil); res.StatusCode != http.StatusBadRequest {
		t.Errorf("PUT of a rule of no registry: %s", res.Status)
	}
	if res := r.call(http.MethodPut, "/api/v1/rules/nightly", map[string]any{"registry": "mine"}, nil); res.StatusCode != http.StatusCreated {
		t.Errorf("PUT of a rule: %s", res.Status)
	}
	if res := r.call(http.MethodDelete, path, nil, nil); res.StatusCode != http.StatusConflict {
		t.Errorf("DELETE of a registry in use: %s", res.Status)
	}
	r.call(http.MethodGet, path+"/webhook", nil, &got)
	if got["url"] != "http://ingest.test/hooks/mine/s" || got["enabled"] != true {
		t.Errorf("webhook: %v", got)
	}
	var sweep map[string]any
	if res := r.call(http.MethodPost, "/api/v1/sweeps", map[string]any{"rule": "nightly"}, &sweep); res.StatusCode != http.StatusAccepted {
		t.Errorf("POST sweep: %s %v", res.Status, sweep)
	}
	if res := r.call(http.MethodDelete, "/api/v1/rules/nightly", nil, nil); res.StatusCode != http.StatusNoContent {
		t.Errorf("DELETE of a rule: %s", res.Status)
	}
}

// A reference would be read by the service and come back in the webhook's
// address.
func TestRegistriesOfTheAPINameNoFiles(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.start()
	const path = "/api/v1/registries/mine"
	for field, body := range map[string]map[string]any{
		"webhook.secret":         {"webhook": map[string]any{"secret": map[string]any{"env": "LANDWAITER_ADMIN_TOKEN"}}},
		"webhook.previousSecret": {"webhook": map[string]any{"previousSecret": map[string]any{"file": "admin"}}},
		"webhook.auth":           {"webhook": map[string]any{"auth": map[string]any{"type": "mtls", "subjects": []string{"anybody"}}}},
		"webhook.nats":           {"type": "zot", "webhook": map[string]any{"nats": map[string]any{"url": "nats://nats.test", "subject": "zot"}}},
		"tls.ca":                 {"tls": map[string]any{"ca": "/etc/shadow"}},
		"tls.cert":               {"tls": map[string]any{"cert": "/etc/shadow", "key": "/etc/shadow"}},
	} {
		body["address"] = "registry.test"
		var p struct{ Detail, Remedy string }
		res := r.call(http.MethodPut, path, body, &p)
		if res.StatusCode != http.StatusBadRequest || !strings.Contains(p.Detail, field) || !strings.Contains(p.Remedy, "configuration file") {
			t.Errorf("PUT with %s: %s %+v", field, res.Status, p)
		}
	}
	if res := r.call(http.MethodGet, path, nil, nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("GET of what was refused: %s", res.Status)
	}
}

// A push whose registry cannot be read is seen where registries are listed.
func TestRegistriesTellWhatIsWrong(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.start()
	for _, name := range []string{"bad", "good"} {
		r.call(http.MethodPut, "/api/v1/registries/"+name, map[string]any{"address": name + ".test"}, nil)
	}
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if _, err := r.state.Conditions.Create(t.Context(), failpoint.PlanCondition, "bad", state.Condition{
		Registry: "bad", Error: "<i>no</i> answer", Since: since, LastAt: since.Add(time.Hour), Count: 3,
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"error": "<i>no</i> answer", "since": "2026-03-01T12:00:00Z", "lastAt": "2026-03-01T13:00:00Z", "count": 3.0}
	var list []map[string]any
	r.call(http.MethodGet, "/api/v1/registries", nil, &list)
	if len(list) != 2 || !cmp.Equal(list[0]["condition"], any(want)) || list[1]["condition"] != nil {
		t.Errorf("listed are %v", list)
	}
	var one map[string]any
	r.call(http.MethodGet, "/api/v1/registries/bad", nil, &one)
	if diff := cmp.Diff(any(want), one["condition"]); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	schema, err := compiler(t).Compile(schemas.Base + schemas.OpenAPI + "#/components/schemas/Registry")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(one); err != nil {
		t.Errorf("answer breaks the contract: %v", err)
	}
	delete(want, "error")
	if one["condition"] = want; schema.Validate(one) == nil {
		t.Error("the contract takes a condition without an error")
	}
	if res := r.call(http.MethodPut, "/api/v1/registries/bad", one, nil); res.StatusCode != http.StatusOK {
		t.Errorf("PUT of what GET gave: %s", res.Status)
	}
	if page := r.page("/"); !strings.Contains(page, "&lt;i&gt;no&lt;/i&gt; answer") || strings.Contains(page, "good.test") || !strings.Contains(page, "bad") {
		t.Errorf("the console does not tell, or too much: %s", page)
	}
	rec, err := r.state.Conditions.Get(t.Context(), "bad")
	if err == nil {
		err = r.state.Conditions.Delete(t.Context(), failpoint.PlanCondition, rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	if page := r.page("/"); strings.Contains(page, "answer</") {
		t.Errorf("the console still tells: %s", page)
	}
}

// page is a page of the console as the admin sees it.
func (r *rig) page(path string) string {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return string(raw)
}

func TestIfMatch(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.start()
	const path = "/api/v1/registries/mine"
	first := r.call(http.MethodPut, path, map[string]any{"address": "a.test"}, nil).Header.Get("ETag")
	second := r.call(http.MethodPut, path, map[string]any{"address": "b.test"}, nil).Header.Get("ETag")
	if first == "" || first == second {
		t.Fatalf("ETags are %q, then %q", first, second)
	}
	for _, tt := range []struct {
		method, match string
		status        int
	}{
		{http.MethodPut, first, http.StatusPreconditionFailed},
		{http.MethodDelete, first, http.StatusPreconditionFailed},
		{http.MethodPut, second, http.StatusOK},
		{http.MethodPut, second, http.StatusPreconditionFailed}, // it was used up
		{http.MethodPut, "*", http.StatusOK},
		{http.MethodDelete, "*", http.StatusNoContent},
		{http.MethodDelete, "*", http.StatusNotFound},
		{http.MethodPut, second, http.StatusPreconditionFailed}, // nothing is there to match
		{http.MethodPut, "*", http.StatusPreconditionFailed},
		{http.MethodPut, "none", http.StatusCreated},
		{http.MethodPut, "none", http.StatusPreconditionFailed}, // there is one now
		{http.MethodPut, "", http.StatusOK},
	} {
		if res := r.conditional(tt.method, path, tt.match, `{"address":"c.test"}`); res != tt.status {
			t.Errorf("%s with If-Match %s: %d, want %d", tt.method, tt.match, res, tt.status)
		}
	}
}

// conditional changes an object that is to be the one with the ETag; "none": that
// is not to be there.
func (r *rig) conditional(method, path, match, body string) int {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	switch match {
	case "":
	case "none":
		req.Header.Set("If-None-Match", "*")
	default:
		req.Header.Set("If-Match", match)
	}
	res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
	if err != nil {
		r.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}
