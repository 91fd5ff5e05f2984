package landwaiter_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/landwaiter"
)

func TestGetTellsWhatIsWrongWithARegistry(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`[{"name":"bad","managedBy":"api","condition":{"error":"no answer","count":3}},{"name":"good","managedBy":"api"}]`))
	}))
	defer api.Close()
	env := map[string]string{"LANDWAITER_URL": api.URL, "LANDWAITER_TOKEN": "t"}
	var stdout, stderr bytes.Buffer
	code := landwaiter.Run(t.Context(), landwaiter.Env{
		Program: "landwaiter", Getenv: func(name string) string { return env[name] },
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Args: []string{"get", "registries"},
	})
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if code != 0 || len(lines) != 3 {
		t.Fatalf("code %d\n%s%s", code, stdout.String(), stderr.String())
	}
	for i, end := range []string{"CONDITION", "no answer", "-"} {
		if !strings.HasSuffix(strings.TrimRight(lines[i], " "), end) {
			t.Errorf("line %q does not end with %q", lines[i], end)
		}
	}
}
