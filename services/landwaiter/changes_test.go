package landwaiter_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// meddler stands between the command and the API: before the first change goes
// through somebody else makes one.
type meddler struct {
	*httputil.ReverseProxy

	t      *testing.T
	api    string
	token  string
	method string // of what somebody else does
	body   string
	done   atomic.Bool
}

func (m *meddler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut && !m.done.Swap(true) {
		req, err := http.NewRequestWithContext(r.Context(), m.method, m.api+r.URL.Path, strings.NewReader(m.body))
		if err != nil {
			m.t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+m.token)
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil || res.StatusCode >= http.StatusMultipleChoices {
			m.t.Errorf("somebody else's change: %v, %v", res, err)
			return
		}
		_ = res.Body.Close()
	}
	m.ReverseProxy.ServeHTTP(w, r)
}

// What somebody else changes while apply runs is not overwritten: apply says
// what changed and what to do, and --force does it.
func TestApplyOverwritesNobody(t *testing.T) {
	in := newInstallation(t, startRegistry(t))
	t.Setenv("PATH", t.TempDir())
	in.up(t)
	api, err := url.Parse(strings.TrimSuffix(in.env["LANDWAITER_URL"], "/"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "doc.yaml")
	const doc = "registries:\n  - {name: other, address: ours.test}\n"
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name         string
		method, body string
		args         []string
		code         int
		says         []string
		address      string // what it is then
	}{
		{"created meanwhile", http.MethodPut, `{"address":"theirs.test"}`, nil, 1, []string{"somebody created it meanwhile", "get registry other", "--force"}, "theirs.test"},
		{"changed meanwhile", http.MethodPut, `{"address":"new.test"}`, nil, 1, []string{`address was "theirs.test" and is "new.test"`, "get registry other", "--force"}, "new.test"},
		{"by force", http.MethodPut, `{"address":"newer.test"}`, []string{"--force"}, 0, []string{"registry other replaced"}, "ours.test"},
		{"deleted meanwhile", http.MethodDelete, "", nil, 1, []string{"somebody deleted it meanwhile"}, ""},
		{"once more", http.MethodGet, "", nil, 0, []string{"registry other created"}, "ours.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &meddler{ReverseProxy: httputil.NewSingleHostReverseProxy(api), t: t, api: api.String(), token: in.token, method: tt.method, body: tt.body}
			m.done.Store(tt.method == http.MethodGet)
			s := httptest.NewServer(m)
			t.Cleanup(s.Close)
			got := in.command(t, append([]string{"apply", "-f", file, "--server", s.URL}, tt.args...)...)
			if got.code != tt.code {
				t.Errorf("%+v", got)
			}
			for _, want := range tt.says {
				if !strings.Contains(got.stdout+got.stderr, want) {
					t.Errorf("no %q in %+v", want, got)
				}
			}
			now := in.command(t, "get", "registries", "-o", "json")
			if tt.address != "" && !strings.Contains(now.stdout, tt.address) || tt.address == "" && strings.Contains(now.stdout, "ours.test") {
				t.Errorf("it is %s", now.stdout)
			}
		})
	}
}
