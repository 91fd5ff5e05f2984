package landwaiter_test

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAdvisoriesFromTheCommandLine(t *testing.T) {
	in := newInstallation(t, startRegistry(t))
	in.up(t)
	updated := in.command(t, "advisories", "update", "--wait")
	version := strings.TrimSpace(updated.stdout)
	if updated.code != 0 || !strings.HasPrefix(version, "sha256:") {
		t.Fatalf("update: %+v", updated)
	}
	for _, args := range [][]string{{"advisories"}, {"advisories", "status"}} {
		if got := in.command(t, args...); got.code != 0 || !strings.Contains(got.stdout, version) || !strings.Contains(got.stdout, "LAST SUCCESS") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	var status struct{ Database struct{ Version string } }
	got := in.command(t, "advisories", "-o", "json")
	if err := json.Unmarshal([]byte(got.stdout), &status); err != nil || status.Database.Version != version {
		t.Errorf("%+v: %v", got, err)
	}
}
