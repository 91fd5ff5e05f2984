package e2e

import (
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/landwaiter/landwaiter/test/harness"
)

// windowsRelease is what os.version of an image's configuration says.
const windowsRelease = "10.0.20348.2340"

// windowsImage is an application on a base that may not be passed on.
func windowsImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), &v1.ConfigFile{
		OS: "windows", Architecture: "amd64", OSVersion: windowsRelease, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		t.Fatal(err)
	}
	image, err = mutate.Append(image, mutate.Addendum{
		Layer: harness.Files(t, map[string]string{"Files/Windows/System32/ntdll.dll": "MZ"}), MediaType: types.OCIRestrictedLayer,
		History: v1.History{CreatedBy: "Apply image 10.0.20348.2340"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return harness.Append(t, image, harness.Files(t, map[string]string{
		"Files/app/node_modules/lodash/package.json": `{"name":"lodash","version":"4.17.20"}`, "Hives/Software_Delta": "regf",
	}), "COPY app C:/app")
}

// An image of Windows is scanned as far as its layers are there, and its report
// says of which Windows it is and what was not looked at.
func TestWindowsImage(t *testing.T) {
	in := install(t, options{})
	r := in.reported(in.registry.Push(t, "windows/app:1", windowsImage(t), remote.WithNondistributable).String(), 6)
	var notes []string
	for _, n := range r.Completeness.Notes {
		notes = append(notes, n.Code+": "+n.Message)
	}
	for _, want := range []string{"foreign-layer", "Windows " + windowsRelease} {
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("%q is not in the notes %q", want, notes)
		}
	}
	if len(r.Packages) != 1 || r.Packages[0].Name != "lodash" || r.Packages[0].Layer.CreatedBy != "COPY app C:/app" || r.Completeness.Complete {
		t.Errorf("complete %t, packages %+v", r.Completeness.Complete, r.Packages)
	}
}
