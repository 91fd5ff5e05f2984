package report_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// compiler knows every published schema.
func compiler(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	for _, name := range schemas.Names() {
		if name == schemas.AsyncAPI {
			continue
		}
		raw, err := schemas.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err == nil {
			err = c.AddResource(schemas.Base+name, doc)
		}
		if err != nil {
			t.Fatalf("schema %s: %v", name, err)
		}
	}
	return c
}

// TestAnswersKeepTheContract checks answers against what is published of them.
func TestAnswersKeepTheContract(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, "hub", state.Managed[config.Registry]{
		Value: config.Registry{Name: "hub", Address: "registry.test"},
	}); err != nil {
		t.Fatal(err)
	}
	r.putPlace(place(1))
	r.putReport(1, sample(1))
	r.putPlace(place(2))
	r.putJob(2, state.JobFailed, "registry refused")
	r.cfg.WebhookURL = func(reg config.Registry) (string, error) { return "http://ingest.test/hooks/" + reg.Name + "/s", nil }
	r.start()
	r.shows("", 2)
	c := compiler(t)
	component := func(name string) string { return schemas.OpenAPI + "#/components/schemas/" + name }
	for path, schema := range map[string]string{
		"/api/v1/images":                       component("ImagePage"),
		"/api/v1/images/" + string(digest(1)):  component("ImageDetail"),
		"/api/v1/images/" + string(digest(2)):  component("ImageDetail"),
		"/api/v1/reports/" + string(digest(1)): "report.json",
		"/api/v1/reports/" + string(digest(2)): "report.json",
		"/api/v1/scans/" + string(digest(2)):   component("ScanRequest"),
		"/api/v1/registries/hub":               component("Registry"),
		"/api/v1/registries/hub/webhook":       component("Webhook"),
		"/api/v1/registries/hub/summary":       component("RegistrySummary"),
		"/api/v1/registries":                   schemas.OpenAPI + "#/paths/~1api~1v1~1registries/get/responses/200/content/application~1json/schema",

		"/api/v1/vulnerabilities/CVE-2026-0001/images": component("ImagePage"),
		"/api/v1/sweeps":                      component("SweepPage"),
		"/api/v1/images/" + string(digest(9)): component("Problem"),
	} {
		t.Run(path, func(t *testing.T) {
			s, err := c.Compile(schemas.Base + schema)
			if err != nil {
				t.Fatal(err)
			}
			var got any
			r.call(http.MethodGet, path, nil, &got)
			if path == "/api/v1/scans/"+string(digest(2)) {
				// A digest in place of a request's id is no token.
				if m, ok := got.(map[string]any); ok {
					m["id"] = "r1"
				}
			}
			if err := s.Validate(got); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}
