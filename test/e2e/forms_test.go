package e2e

import (
	"strings"
	"testing"
)

// TestForms prints a report in every form, from the pipeline and from a scan
// without one.
func TestForms(t *testing.T) {
	in := install(t, options{})
	digest := in.registry.Push(t, "team/shop:1.0", tiny(t, bookworm)).String()
	finding := in.reported(digest, 6).Findings[0].ID
	ref := in.registry.Host + "/team/shop:1.0"
	for form, begins := range map[string]string{
		"csv": "id,severity,", "sarif": "{\n \"$schema\"", "cyclonedx": "{\n  \"$schema\"", "spdx": "{\n \"spdxVersion\"",
	} {
		for _, args := range [][]string{
			{"report", "-o", form, ref},
			{"scan", "-o", form, ref},
			{"scan", "--local", "-o", form, "--data", t.TempDir(), "--advisories", advisoriesDir(t), ref},
		} {
			got := in.command(args...)
			if got.Code != 0 || !strings.HasPrefix(got.Stdout, begins) || !strings.Contains(got.Stdout, finding) {
				t.Errorf("landwaiter %q: code %d\n%.500s\n%s", args, got.Code, got.Stdout, got.Stderr)
			}
		}
	}
	unknown := in.registry.Push(t, "team/unknown:1", tiny(t, nobodys)).String()
	in.reported(unknown, 6)
	if got := in.command("report", "-o", "csv", unknown); !strings.Contains(got.Stdout, "unsupported-os: ") {
		t.Errorf("the form without findings does not say what was not looked at: %+v", got)
	}
}
