package landwaiter_test

import (
	"net/url"
	"strings"
	"testing"
)

// The command prints the address alone where scripts read it, and what to do
// with it beside.
func TestWebhookTellsWhatToDo(t *testing.T) {
	reg := startRegistry(t)
	in := newInstallation(t, reg)
	in.up(t)
	got := in.command(t, "webhook", "local")
	address, err := url.Parse(strings.TrimSpace(got.stdout))
	if got.code != 0 || err != nil || !strings.HasPrefix(address.Path, "/hooks/local/") || strings.Count(got.stdout, "\n") != 1 {
		t.Fatalf("%+v: %v", got, err)
	}
	for _, want := range []string{"config.yml", "notifications:", `url: "` + address.String() + `"`} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, got.stderr)
		}
	}
	if got := in.command(t, "webhook", "nobody"); got.code != 1 || got.stdout != "" {
		t.Errorf("a registry that is not there: %+v", got)
	}
}
