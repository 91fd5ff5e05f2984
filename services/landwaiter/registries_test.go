package landwaiter_test

import (
	"strings"
	"testing"
)

// A test says of each step what came of it, and ends with 1 where one fails.
func TestRegistriesTest(t *testing.T) {
	reg := startRegistry(t)
	reg.push(t, "team/app:1", debian(t))
	in := newInstallation(t, reg)
	in.up(t)
	got := in.command(t, "registries", "test", "local", "--repository", "team/app")
	if got.code != 0 {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{"connect", "login", "catalog", "team/app:1 is sha256:"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, got.stdout)
		}
	}
	got = in.command(t, "registries", "test", "local", "--repository", "team/none", "-o", "json")
	if got.code != 1 || !strings.Contains(got.stdout, `"ok": false`) || !strings.Contains(got.stderr, "cannot be read") {
		t.Errorf("a repository that is not there: %+v", got)
	}
	if got := in.command(t, "registries", "test", "nobody"); got.code != 1 || got.stdout != "" {
		t.Errorf("a registry that is not there: %+v", got)
	}
	if got := in.command(t, "registries", "remove"); got.code == 0 || !strings.Contains(got.stderr, "registries test NAME") {
		t.Errorf("a command that is not there: %+v", got)
	}
}
