package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// TestEveryRouteIsDocumented compares what is served with what is published,
// both ways.
func TestEveryRouteIsDocumented(t *testing.T) {
	raw, err := schemas.Read(schemas.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	var published, served []string
	for path, operations := range doc.Paths {
		for method := range operations {
			// The rest of the document is ingest's.
			if strings.HasPrefix(path, "/api/") && slices.Contains([]string{"get", "put", "post", "delete"}, method) {
				published = append(published, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for pattern := range (&API{State: &state.Store{}}).routes() {
		if pattern != "/api/" { // what is nothing
			served = append(served, pattern)
		}
	}
	for _, p := range published {
		if !slices.Contains(served, p) {
			t.Errorf("%s is published and not served", p)
		}
	}
	for _, s := range served {
		if !slices.Contains(published, s) {
			t.Errorf("%s is served and not published", s)
		}
	}
}
