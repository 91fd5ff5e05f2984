package report_test

import (
	"html"
	"net/http"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// The API and the console tell what to enter at a registry of its type.
func TestWebhookSetup(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.cfg.WebhookURL = func(reg config.Registry) (string, error) {
		return "https://hooks.test/hooks/" + reg.Name + "/the-secret", nil
	}
	for name, reg := range map[string]config.Registry{
		"plain":    {Address: "registry.test"},
		"packages": {Type: config.GHCR, Address: "ghcr.io"},
		"proven":   {Type: config.Harbor, Address: "harbor.test", Webhook: config.Webhook{Auth: config.WebhookAuth{Type: config.BearerAuth}}},
	} {
		reg.Name = name
		if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, name, state.Managed[config.Registry]{Value: reg}); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	schema, err := compiler(t).Compile(schemas.Base + schemas.OpenAPI + "#/components/schemas/Webhook")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, url, format, line string }{
		{"plain", "https://hooks.test/hooks/plain/the-secret", "yaml", `url: "https://hooks.test/hooks/plain/the-secret"`},
		{"packages", "https://hooks.test/hooks/packages/the-secret", "shell", `-f 'config[url]=https://hooks.test/hooks/packages'`},
		{"proven", "https://hooks.test/hooks/proven", "shell", `"auth_header": "Bearer the-secret",`},
	} {
		var got map[string]any
		r.call(http.MethodGet, "/api/v1/registries/"+tt.name+"/webhook", nil, &got)
		setup, _ := got["setup"].(map[string]any)
		text, _ := setup["text"].(string)
		if got["url"] != tt.url || setup["format"] != tt.format || !strings.Contains(text, tt.line) {
			t.Errorf("%s: %v lacks %s", tt.name, got, tt.line)
		}
		if err := schema.Validate(got); err != nil {
			t.Errorf("%s: answer breaks the contract: %v", tt.name, err)
		}
		if _, signs := got["signing"]; signs != (tt.name == "packages") {
			t.Errorf("%s: signing %v", tt.name, got["signing"])
		}
		page := html.UnescapeString(r.page("/registries/" + tt.name))
		if !strings.Contains(page, text) || !strings.Contains(page, tt.url+"<") {
			t.Errorf("%s: the console says %s", tt.name, page)
		}
	}
	for _, name := range []string{"nobody", "%3Cscript%3E"} {
		if page := r.page("/registries/" + name); !strings.Contains(page, "no such registry") {
			t.Errorf("the console says of %s: %s", name, page)
		}
	}
}
