package report_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// confirming is a service whose configuration file sends reader to two hosts.
func confirming(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, redistest.Start(t).Client())
	for name, reg := range map[string]state.Managed[config.Registry]{
		"file-hub":   {Value: config.Registry{Address: "registry.test", Credential: "reader"}, ManagedBy: state.ManagedByFile},
		"file-plain": {Value: config.Registry{Address: "http://plain.test", Credential: "reader"}, ManagedBy: state.ManagedByFile},
		"by-api":     {Value: config.Registry{Address: "other.test", Credential: "reader"}}, // nobody has confirmed it
	} {
		reg.Value.Name = name
		if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, name, reg); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	return r
}

// held is what the state says of a registry, which is what workers go by.
func (r *rig) held(name string) bool {
	r.Helper()
	rec, err := r.state.Registries.Get(r.Context(), name)
	if err != nil {
		r.Fatal(err)
	}
	return state.Held(rec.Value)
}

// Whoever may configure registries must not get at the services' credentials by
// naming an address of their own: it is taken, and the credential kept back.
func TestCredentialsAreHeldUntilConfirmed(t *testing.T) {
	r := confirming(t)
	const path = "/api/v1/registries/mine"
	if !r.held("by-api") || r.held("file-hub") {
		t.Error("a record that says nothing sends its credential, or the file's does not")
	}
	for _, tt := range []struct {
		body map[string]any
		want string // credentialState; blank: none
	}{
		{map[string]any{"address": "https://REGISTRY.test:443", "credential": "reader"}, "confirmed"}, // by the file
		{map[string]any{"address": "http://plain.test", "credential": "reader"}, "confirmed"},
		{map[string]any{"address": "evil.test", "credential": "reader"}, "unconfirmed"},
		{map[string]any{"address": "other.test", "credential": "reader"}, "unconfirmed"},
		{map[string]any{"address": "registry.test:5000", "credential": "reader"}, "unconfirmed"},
		{map[string]any{"address": "http://registry.test", "credential": "reader"}, "unconfirmed"},
		{map[string]any{"address": "registry.test", "credential": "reader"}, "confirmed"},
		{map[string]any{"credential": "reader"}, "unconfirmed"}, // Docker Hub
		{map[string]any{"address": "registry.test", "credential": "writer"}, "unconfirmed"},
		{map[string]any{"address": "evil.test"}, ""},
	} {
		var got map[string]any
		res := r.call(http.MethodPut, path, tt.body, &got)
		if state, _ := got["credentialState"].(string); res.StatusCode >= http.StatusMultipleChoices || state != tt.want || r.held("mine") != (tt.want == "unconfirmed") {
			t.Errorf("PUT of %v: %s %v, held %t, want %q", tt.body, res.Status, got, r.held("mine"), tt.want)
		}
	}
	r.call(http.MethodPut, path, map[string]any{"address": "evil.test", "credential": "reader"}, nil)
	schema, err := compiler(t).Compile(schemas.Base + schemas.OpenAPI + "#/components/schemas/Registry")
	if err != nil {
		t.Fatal(err)
	}
	var one map[string]any
	r.call(http.MethodGet, path, nil, &one)
	if err := schema.Validate(one); err != nil {
		t.Errorf("answer breaks the contract: %v", err)
	}
	for _, page := range []string{r.page("/registries"), r.page("/registries/mine")} {
		if !strings.Contains(page, "landwaiter registries confirm mine") || !strings.Contains(page, "reader to https://evil.test") {
			t.Errorf("the console does not tell: %s", page)
		}
	}
	one["credentialState"] = "confirmed" // whoever sends this confirms nothing
	if r.call(http.MethodPut, path, one, &one); one["credentialState"] != "unconfirmed" || !r.held("mine") {
		t.Errorf("PUT of what GET gave, and more: %v", one)
	}
}

// TestConfirm: an admin's word is of one destination, of what the admin has
// seen, and ends with the next change.
func TestConfirm(t *testing.T) {
	r := confirming(t)
	const path = "/api/v1/registries/mine"
	put := func(body map[string]any) string {
		t.Helper()
		return r.call(http.MethodPut, path, body, nil).Header.Get("ETag")
	}
	seen := put(map[string]any{"address": "new.test", "credential": "reader"})
	put(map[string]any{"address": "evil.test", "credential": "reader"})
	if status := r.conditional(http.MethodPost, path+"/confirm", seen, ""); status != http.StatusPreconditionFailed || !r.held("mine") {
		t.Errorf("confirm of what has changed since: %d, held %t", status, r.held("mine"))
	}
	seen = put(map[string]any{"address": "new.test", "credential": "reader"})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+path+"/confirm", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized || !r.held("mine") {
		t.Errorf("confirm without the admin's token: %s, held %t", res.Status, r.held("mine"))
	}
	if status := r.conditional(http.MethodPost, path+"/confirm", seen, ""); status != http.StatusOK || r.held("mine") {
		t.Errorf("confirm: %d, held %t", status, r.held("mine"))
	}
	var got map[string]any
	if res := r.call(http.MethodPost, path+"/confirm", nil, &got); res.StatusCode != http.StatusOK || got["credentialState"] != "confirmed" {
		t.Errorf("confirm once more: %s %v", res.Status, got)
	}
	if put(map[string]any{"address": "new.test", "credential": "reader", "trust": "x"}); r.held("mine") {
		t.Error("a change of something else took the confirmation away")
	}
	put(map[string]any{"address": "evil.test", "credential": "reader"})
	if put(map[string]any{"address": "new.test", "credential": "reader"}); !r.held("mine") {
		t.Error("the confirmation outlived a change of the address")
	}
	put(map[string]any{"address": "new.test"})
	if res := r.call(http.MethodPost, path+"/confirm", nil, nil); res.StatusCode != http.StatusConflict {
		t.Errorf("confirm without a credential: %s", res.Status)
	}
	if res := r.call(http.MethodPost, "/api/v1/registries/none/confirm", nil, nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("confirm of none: %s", res.Status)
	}
}

// What lies on a credential's way cannot be confirmed: it is the file's alone.
func TestWhatReadsACredentialOnItsWay(t *testing.T) {
	r := confirming(t)
	const path = "/api/v1/registries/mine"
	for field, body := range map[string]map[string]any{
		"proxy":                  {"proxy": "http://evil.test:3128"},
		"tls.insecureSkipVerify": {"tls": map[string]any{"insecureSkipVerify": true}},
		"tokenServers":           {"tokenServers": []string{"evil.test"}},
	} {
		body["address"], body["credential"] = "registry.test", "reader"
		var p struct{ Detail, Remedy string }
		res := r.call(http.MethodPut, path, body, &p)
		if res.StatusCode != http.StatusForbidden || !strings.Contains(p.Detail, field) || !strings.Contains(p.Remedy, "configuration file") {
			t.Errorf("PUT with %s: %s %+v", field, res.Status, p)
		}
	}
	if res := r.call(http.MethodGet, path, nil, nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("GET of what was refused: %s", res.Status)
	}
	if status := r.conditionalNone(path, `{"address":"a.test"}`); status != http.StatusCreated {
		t.Errorf("PUT of one that is not to be there: %d", status)
	}
	if status := r.conditionalNone(path, `{"address":"b.test"}`); status != http.StatusPreconditionFailed {
		t.Errorf("PUT over one that is not to be there: %d", status)
	}
}

// conditionalNone puts an object that is not to be there yet.
func (r *rig) conditionalNone(path, body string) int {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPut, r.url+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("If-None-Match", "*")
	res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
	if err != nil {
		r.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}
