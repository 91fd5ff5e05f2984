package schemas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/landwaiter/landwaiter/schemas"
)

// schemaNames lists the documents that are a JSON Schema.
func schemaNames() []string {
	return slices.DeleteFunc(schemas.Names(), func(name string) bool {
		return name == schemas.OpenAPI || name == schemas.AsyncAPI
	})
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := schemas.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parse(t *testing.T, name string) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(t, name)))
	if err != nil {
		t.Fatalf("parse %s: %v", name, err)
	}
	return doc
}

// compiler knows every JSON document of the package under its $id.
func compiler(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range append(schemaNames(), schemas.OpenAPI) {
		if err := c.AddResource(schemas.Base+name, parse(t, name)); err != nil {
			t.Fatalf("add %s: %v", name, err)
		}
	}
	return c
}

func TestNamesAreTheFilesOfTheFolder(t *testing.T) {
	var want []string
	for _, pattern := range []string{"*.json", "*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, files...)
	}
	slices.Sort(want)
	if got := schemas.Names(); !slices.Equal(got, want) {
		t.Errorf("Names() = %v, want %v", got, want)
	}
	for _, name := range want {
		onDisk, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, name), onDisk) {
			t.Errorf("Read(%s) differs from the file", name)
		}
		embedded, err := fs.ReadFile(schemas.FS(), name)
		if err != nil || !bytes.Equal(embedded, onDisk) {
			t.Errorf("FS() has another %s, error %v", name, err)
		}
	}
}

func TestReadUnknownName(t *testing.T) {
	for _, name := range []string{"nothing.json", "go.mod", "schemas.go"} {
		if _, err := schemas.Read(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Read(%q): error %v, want fs.ErrNotExist", name, err)
		}
	}
}

func TestSchemasCompileAndAcceptTheirExamples(t *testing.T) {
	for _, name := range schemaNames() {
		t.Run(name, func(t *testing.T) {
			schema, err := compiler(t).Compile(schemas.Base + name)
			if err != nil {
				t.Fatalf("compile: %v", err)
			}
			var head struct {
				ID          string `json:"$id"`
				Dialect     string `json:"$schema"`
				Title       string `json:"title"`
				Description string `json:"description"`
				Examples    []any  `json:"examples"`
			}
			if err := json.Unmarshal(read(t, name), &head); err != nil {
				t.Fatal(err)
			}
			if want := schemas.Base + name; head.ID != want {
				t.Errorf("$id = %q, want %q", head.ID, want)
			}
			if head.Dialect != "https://json-schema.org/draft/2020-12/schema" {
				t.Errorf("$schema = %q", head.Dialect)
			}
			if head.Title == "" || head.Description == "" {
				t.Error("no title or description")
			}
			if len(head.Examples) == 0 && name != "values.json" {
				t.Error("no examples")
			}
			for i, example := range head.Examples {
				if err := schema.Validate(example); err != nil {
					t.Errorf("example %d: %v", i, err)
				}
			}
		})
	}
}

// Readers of events must tolerate additions, so a schema of events must; in a
// configuration an unknown key is a mistake.
func TestAdditionalProperties(t *testing.T) {
	for _, name := range schemaNames() {
		want := name != "config.json"
		walk(parse(t, name), func(path string, object map[string]any) {
			properties, isObject := object["properties"].(map[string]any)
			if !isObject {
				return
			}
			if got, said := object["additionalProperties"].(bool); !said || got != want {
				t.Errorf("%s%s: additionalProperties is not %v", name, path, want)
			}
			for key, property := range properties {
				p, _ := property.(map[string]any)
				if p["$ref"] == nil && p["description"] == nil {
					t.Errorf("%s%s: property %s has no description", name, path, key)
				}
			}
			required, _ := object["required"].([]any)
			for _, key := range required {
				if properties[key.(string)] == nil {
					t.Errorf("%s%s: required %s is no property", name, path, key)
				}
			}
		})
	}
}

// walk visits every object of a document that may be a schema.
func walk(doc any, visit func(path string, object map[string]any)) {
	var into func(path string, node any)
	into = func(path string, node any) {
		switch node := node.(type) {
		case map[string]any:
			visit(path, node)
			for key, child := range node {
				if key != "examples" {
					into(path+"/"+key, child)
				}
			}
		case []any:
			for _, child := range node {
				into(path, child)
			}
		}
	}
	into("", doc)
}

func TestInvalidDocuments(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0", 64)
	tests := []struct{ name, schema, doc string }{
		{"config: unknown key", "config.json", `{"registry": []}`},
		{"config: unknown key of a rule", "config.json", `{"rules": [{"name": "a", "registry": "b", "scaners": 1}]}`},
		{"config: rule without registry", "config.json", `{"rules": [{"name": "a"}]}`},
		{"config: name in upper case", "config.json", `{"registries": [{"name": "Hub"}]}`},
		{"config: unknown type", "config.json", `{"registries": [{"name": "hub", "type": "hub"}]}`},
		{"config: secret in the document", "config.json", `{"credentials": [{"name": "a", "type": "basic", "password": "x"}]}`},
		{"config: secret from two places", "config.json", `{"credentials": [{"name": "a", "type": "basic", "password": {"env": "A", "file": "b"}}]}`},
		{"config: time of day", "config.json", `{"rules": [{"name": "a", "registry": "b", "schedule": {"at": "24:00"}}]}`},
		{"config: more than a year", "config.json", `{"defaults": {"everyDays": 366}}`},
		{"config: duration", "config.json", `{"defaults": {"retention": "30 days"}}`},
		{"config: pattern", "config.json", `{"rules": [{"name": "a", "registry": "b", "tags": ["v?"]}]}`},
		{"event: no digest", "scan-requested.json", `{"generation": 1, "lane": "push", "os": "linux", "pool": "any"}`},
		{"event: digest", "verdict-requested.json", `{"digest": "sha256:00", "database": ""}`},
		{"event: lane", "scan-requested.json", `{"digest": "` + digest + `", "generation": 1, "lane": "slow", "os": "linux", "pool": "any"}`},
		{"event: neither tag nor digest", "image-requested.json", `{"request": "r", "registry": "a", "repository": "b"}`},
		{"event: time", "sweep-requested.json", `{"sweep": "a.b", "rule": "a", "dueAt": "yesterday"}`},
		{"event: empty string for unknown", "registry-event.json", `{"registry": "a", "host": "b", "action": "push", "receivedAt": "2026-03-04T05:06:07Z", "source": "c", "actor": ""}`},
		{"report: null for no findings", "report.json", reportWith(t, "findings", nil)},
		{"report: without completeness", "report.json", reportWith(t, "completeness", json.RawMessage(`{}`))},
		{"report: status", "report.json", reportWith(t, "status", json.RawMessage(`7`))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			schema, err := compiler(t).Compile(schemas.Base + test.schema)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(test.doc))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err == nil {
				t.Errorf("%s accepts %s", test.schema, test.doc)
			}
		})
	}
}

// reportWith is the schema's example with another value of one field.
func reportWith(t *testing.T, key string, value any) string {
	t.Helper()
	var schema struct {
		Examples []map[string]any `json:"examples"`
	}
	if err := json.Unmarshal(read(t, "report.json"), &schema); err != nil {
		t.Fatal(err)
	}
	schema.Examples[0][key] = value
	raw, err := json.Marshal(schema.Examples[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestOpenAPI(t *testing.T) {
	var doc map[string]any
	if err := json.Unmarshal(read(t, schemas.OpenAPI), &doc); err != nil {
		t.Fatal(err)
	}
	c := compiler(t)
	checkReferences(t, doc, c)
	seen := map[string]string{}
	for path, item := range doc["paths"].(map[string]any) {
		if !strings.HasPrefix(path, "/api/v1/") && !strings.HasPrefix(path, "/hooks/") {
			t.Errorf("path %s is of no API", path)
		}
		checkPathParameters(t, path, item.(map[string]any))
		for method, operation := range item.(map[string]any) {
			operation, isOperation := operation.(map[string]any)
			if !isOperation || operation["responses"] == nil {
				continue
			}
			id, _ := operation["operationId"].(string)
			if other, twice := seen[id]; id == "" || twice {
				t.Errorf("%s %s: operationId %q, also of %s", method, path, id, other)
			}
			seen[id] = method + " " + path
		}
	}
	for name := range doc["components"].(map[string]any)["schemas"].(map[string]any) {
		if _, err := c.Compile(schemas.Base + schemas.OpenAPI + "#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
}

// checkPathParameters wants every name in braces declared, all of them by
// reference to the component of that name.
func checkPathParameters(t *testing.T, path string, item map[string]any) {
	t.Helper()
	var want []any
	for part := range strings.SplitSeq(path, "/") {
		if name, isParameter := strings.CutPrefix(part, "{"); isParameter {
			want = append(want, map[string]any{"$ref": "#/components/parameters/" + strings.TrimSuffix(name, "}")})
		}
	}
	got, _ := item["parameters"].([]any)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: parameters %v, want %v", path, got, want)
	}
}

func TestAsyncAPI(t *testing.T) {
	var doc map[string]any
	if err := yaml.Unmarshal(read(t, schemas.AsyncAPI), &doc); err != nil {
		t.Fatal(err)
	}
	checkReferences(t, doc, compiler(t))
	for name, message := range doc["components"].(map[string]any)["messages"].(map[string]any) {
		if want := "dev.landwaiter." + name + ".v1"; message.(map[string]any)["name"] != want {
			t.Errorf("message %s has the name %v, want %s", name, message.(map[string]any)["name"], want)
		}
	}
}

// checkReferences follows every $ref: inside the document, or to a schema.
func checkReferences(t *testing.T, doc any, c *jsonschema.Compiler) {
	t.Helper()
	walk(doc, func(path string, object map[string]any) {
		ref, isRef := object["$ref"].(string)
		if !isRef {
			return
		}
		pointer, local := strings.CutPrefix(ref, "#/")
		if !local {
			if _, err := c.Compile(ref); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			return
		}
		node := doc
		for key := range strings.SplitSeq(pointer, "/") {
			node = node.(map[string]any)[strings.ReplaceAll(key, "~1", "/")]
			if node == nil {
				t.Fatalf("%s: %s leads nowhere", path, ref)
			}
		}
	})
}
