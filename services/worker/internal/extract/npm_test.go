package extract

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

func TestReadNPM(t *testing.T) {
	tests := []struct {
		name, content string
		want          []inventory.Package
		note          bool
	}{
		{"plain", `{"name":"a","version":"1.0.0","license":"MIT"}`, []inventory.Package{{Name: "a", Version: "1.0.0", Licenses: []string{"MIT"}}}, false},
		{"scoped", `{"name":"@s/a","version":"v1.0.0"}`, []inventory.Package{{Name: "@s/a", Version: "1.0.0"}}, false},
		{"byte order mark", "\xef\xbb\xbf{\"name\":\"a\",\"version\":\"1\"}", []inventory.Package{{Name: "a", Version: "1"}}, false},
		{
			"fields of other types", `{"name":"a","version":"1","contributors":"x","author":[1],"dependencies":7,"license":{"type":"ISC","url":1}}`,
			[]inventory.Package{{Name: "a", Version: "1", Licenses: []string{"ISC"}}},
			false,
		},
		{
			"old licenses", `{"name":"a","version":"1","licenses":[{"type":"MIT"},"GPL",[["x"]],7]}`,
			[]inventory.Package{{Name: "a", Version: "1", Licenses: []string{"MIT", "GPL"}}},
			false,
		},
		{"folder mark", `{"type":"module"}`, nil, false},
		{"no version", `{"name":"a"}`, nil, false},
		{"version of other type", `{"name":"a","version":1}`, nil, false},
		{"null", `null`, nil, false},
		{"list", `[]`, nil, true},
		{"cut", `{"name":"a","version":"1"`, nil, true},
		{"nothing", ``, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := readNPM("l", []byte(tt.content))
			diff := cmp.Diff(tt.want, got.Packages, cmpopts.IgnoreFields(inventory.Package{}, "Type", "Evidence", "Location"))
			if diff != "" || (len(got.Notes) > 0) != tt.note {
				t.Errorf("notes %v, packages differ (-want +got):\n%s", got.Notes, diff)
			}
		})
	}
}

func FuzzReadNPM(f *testing.F) {
	f.Add([]byte(`{"name":"a","version":"1","licenses":[{"type":"MIT"},[["x"]]]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, p := range readNPM("l", content).Packages {
			if p.Name == "" || p.Version == "" {
				t.Errorf("got %+v", p)
			}
		}
	})
}
