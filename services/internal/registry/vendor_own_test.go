package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// TestNexus replays https://help.sonatype.com/en/search-api.html for images
// routed by path.
func TestNexus(t *testing.T) {
	march := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	hex := strings.TrimPrefix(digestA, "sha256:")
	item := func(repository, version string) string {
		return fmt.Sprintf(`{"id":"x","repository":%q,"format":"docker","name":"team/app","version":%[2]q,"assets":[`+
			`{"path":"v2/-/blobs/sha256:1","checksum":{"sha256":"1"}},`+
			`{"path":"v2/team/app/manifests/%[2]s","checksum":{"sha1":"x","sha256":%[3]q},"lastModified":"2026-03-04T06:06:07.000+01:00"}]}`, repository, version, hex)
	}
	const byName, byPath = "GET /service/rest/v1/search?docker.imageName=hosted%2Fteam%2Fapp&format=docker",
		"docker.imageName=team%2Fapp&format=docker&repository=hosted"
	c, _ := replay(t, config.Nexus, user("u", "p"), map[string]reply{
		"GET /v2/_catalog?n=2":              {proof: basicUP, status: http.StatusNotFound},
		"GET /service/rest/v1/repositories": {proof: basicUP, body: `[{"name":"hosted","format":"docker","type":"hosted"},{"name":"jars","format":"maven2"}]`},
		"GET /repository/hosted/v2/_catalog?n=2": {
			proof: basicUP, body: `{"repositories":["team/app","b"]}`, header: `Link: </v2/_catalog?n=2&last=b>; rel="next"`,
		},
		"GET /repository/hosted/v2/_catalog?last=b&n=2": {proof: basicUP, body: `{"repositories":["c"]}`},
		byName:                                  {proof: basicUP, body: `{"items":[],"continuationToken":null}`},
		"GET /service/rest/v1/search?" + byPath: {proof: basicUP, body: `{"items":[` + item("hosted", "1") + `],"continuationToken":"t 1"}`},
		"GET /service/rest/v1/search?continuationToken=t+1&" + byPath: {proof: basicUP, body: `{"items":[` + item("hosted", "2") + `]}`},
	})
	if got, err := catalogOf(t, c); err != nil || !slices.Equal(got, []string{"hosted/team/app", "hosted/b", "hosted/c"}) {
		t.Errorf("catalog: got %v, %v", got, err)
	}
	want := []Tag{{"1", digestA, march}, {"2", digestA, march}}
	if got, err := tagsOf(t, c, "hosted/team/app"); err != nil || gocmp.Diff(want, got) != "" {
		t.Errorf("tags: got %v, %v", got, err)
	}

	// One name in two repositories tells nothing of the one behind the address.
	c, _ = replay(t, config.Nexus, user("u", "p"), map[string]reply{
		"GET /service/rest/v1/search?docker.imageName=app&format=docker": {proof: basicUP, body: `{"items":[` + item("a", "1") + "," + item("b", "1") + `]}`},
		"GET /v2/app/tags/list?n=2":                                      {proof: basicUP, body: `{"tags":["1"]}`},
	})
	if got, err := tagsOf(t, c, "app"); err != nil || gocmp.Diff([]Tag{{Name: "1"}}, got) != "" {
		t.Errorf("a name in two repositories: got %v, %v", got, err)
	}

	// A connector's port has the registry alone, and is asked once for more.
	c, e := replay(t, config.Nexus, user("u", "p"), map[string]reply{
		"GET /service/rest/v1/search?docker.imageName=app&format=docker": {proof: basicUP, status: http.StatusBadRequest, body: "Not a docker request"},
		"GET /v2/_catalog?n=2":      {proof: basicUP, body: `{"repositories":["app"]}`},
		"GET /v2/app/tags/list?n=2": {proof: basicUP, body: `{"tags":["1"]}`},
	})
	for range 2 {
		if got, err := tagsOf(t, c, "app"); err != nil || len(got) != 1 {
			t.Errorf("a connector: got %v, %v", got, err)
		}
	}
	if got, err := catalogOf(t, c); err != nil || !slices.Equal(got, []string{"app"}) {
		t.Errorf("a connector: got %v, %v", got, err)
	}
	if n := e.count("GET /service/"); n != 1 {
		t.Errorf("the interface that is not there was asked %d times", n)
	}
}

// TestZot replays https://zotregistry.dev/latest/articles/graphql/
func TestZot(t *testing.T) {
	page := func(total int, tags ...string) string {
		var results []string
		for _, tag := range tags {
			results = append(results, fmt.Sprintf(`{"Tag":%q,"Digest":%q}`, tag, digestA))
		}
		return fmt.Sprintf(`{"data":{"ImageList":{"Page":{"TotalCount":%d,"ItemCount":%d},"Results":[%s]}}}`, total, len(tags), strings.Join(results, ","))
	}
	answers := []string{page(3, "1", "2"), page(3, "3")}
	var queries []string
	enabled := true
	plain := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v2/_zot/ext/search" && enabled && r.Method == http.MethodPost:
			raw, _ := readAll(r.Body, -1, 1000)
			queries = append(queries, string(raw))
			_, _ = w.Write([]byte(answers[(len(queries)-1)%len(answers)]))
		case r.URL.Path == "/v2/team/app/tags/list":
			plain++
			_, _ = w.Write([]byte(`{"tags":["1"]}`))
		case r.URL.Path != "/v2/":
			queries = append(queries, r.URL.Path)
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	client := func() *Client {
		c, err := New(config.Registry{Name: "test", Type: config.Zot, Address: s.URL}, config.Resolved{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	want := []Tag{{Name: "1", Digest: digestA}, {Name: "2", Digest: digestA}, {Name: "3", Digest: digestA}}
	if got, err := tagsOf(t, client(), "team/app"); err != nil || gocmp.Diff(want, got) != "" || plain > 0 {
		t.Errorf("got %v, %v", got, err)
	}
	if len(queries) != 2 || !strings.Contains(queries[0], `repo:\"team/app\",requestedPage:{limit:2,offset:0`) || !strings.Contains(queries[1], "offset:2") {
		t.Errorf("asked %q", queries)
	}
	for name, answer := range map[string]string{"an older one": `{"errors":[{"message":"Cannot query field"}],"data":null}`, "no images": page(0)} {
		answers = []string{answer}
		if got, err := tagsOf(t, client(), "team/app"); err != nil || len(got) != 1 {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	enabled, queries = false, nil
	c := client()
	for range 2 {
		if got, err := tagsOf(t, c, "team/app"); err != nil || len(got) != 1 {
			t.Errorf("without search: got %v, %v", got, err)
		}
	}
	if len(queries) != 1 {
		t.Errorf("search was asked for %d times, want once", len(queries))
	}
}

// TestGCR replays the interface of Artifact Registry for what is under gcr.io:
// https://cloud.google.com/artifact-registry/docs/transition/gcr-repositories
func TestGCR(t *testing.T) {
	const packages = "GET /v1/projects/proj/locations/europe/repositories/eu.gcr.io/packages"
	c, e := replay(t, config.GCR, user("oauth2accesstoken", "token"), map[string]reply{
		packages + "?pageSize=2&pageToken=": {
			proof: "Bearer token", body: `{"packages":[{"name":"projects/proj/locations/europe/repositories/eu.gcr.io/packages/deep%2Fb"}],"nextPageToken":"m"}`,
		},
		packages + "?pageSize=2&pageToken=m": {proof: "Bearer token", body: `{"packages":[{"name":"projects/proj/locations/europe/repositories/eu.gcr.io/packages/a"}]}`},
		"GET /v2/proj/a/tags/list?n=2": {
			proof: "Basic *",
			body:  fmt.Sprintf(`{"child":[],"name":"proj/a","tags":["1"],"manifest":{%q:{"tag":["1"],"timeUploadedMs":"1772600767123"}}}`, digestA),
		},
		"GET /v2/_catalog?n=2": {proof: "Basic *", body: `{"repositories":["proj/a"]}`},
	})
	c.vendor = &gar{api: newAPI(c, c.base, c.bearerOfPassword), location: gcrLocation("eu.gcr.io"), repository: "eu.gcr.io"}
	if got, err := catalogOf(t, c, "proj/*"); err != nil || !slices.Equal(got, []string{"proj/deep/b", "proj/a"}) {
		t.Errorf("catalog: got %v, %v", got, err)
	}
	if got, err := tagsOf(t, c, "proj/a"); err != nil || gocmp.Diff([]Tag{{"1", digestA, time.UnixMilli(1772600767123).UTC()}}, got) != "" {
		t.Errorf("tags: got %v, %v", got, err)
	}
	if got, err := catalogOf(t, c); err != nil || !slices.Equal(got, []string{"proj/a"}) || e.count("GET /v2/_catalog") != 1 {
		t.Errorf("all projects: got %v, %v", got, err)
	}
	for host, vendors := range map[string]bool{"gcr.io": true, "asia.gcr.io": true, "mirror.example.com": false, "gcr.io.evil.com": false} {
		c, err := New(config.Registry{Name: "test", Type: config.GCR, Address: host}, user("u", "p"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if (c.vendor != nil) != vendors {
			t.Errorf("%s: asks Google: %t", host, c.vendor != nil)
		}
		c.Close()
	}
}

// A list that leads in a circle, or never ends, ends all the same, also where
// another process goes on with it.
func TestListsEnd(t *testing.T) {
	lasts := []string{"x", "a", "b", "c", "d", "e", "f", "g"}
	pages := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		pages++
		i := slices.Index(lasts, r.URL.Query().Get("last")) + 1
		if i == len(lasts) {
			i = 3
		}
		w.Header().Set("Link", fmt.Sprintf(`</v2/_catalog?n=1&last=%s>; rel="next"`, lasts[i]))
		_, _ = fmt.Fprintf(w, `{"repositories":[%q]}`, lasts[i])
	}))
	t.Cleanup(s.Close)
	var err error
	for after := ""; err == nil; {
		c, newErr := New(config.Registry{Name: "test", Address: s.URL, Limits: config.Limits{RequestsPerSecond: 10_000}}, config.Resolved{}, Options{})
		if newErr != nil {
			t.Fatal(newErr)
		}
		if pages > 100 {
			t.Fatal("the list does not end")
		}
		_, after, err = c.Catalog(t.Context(), nil, after, 1)
		c.Close()
	}
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "leads back") {
		t.Errorf("got %v after %d pages", err, pages)
	}
	last := trail{pages: mostPages, marked: 65536, mark: "x"}
	if _, err := last.follow("y"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one page too many: got %v", err)
	}
	for _, broken := range []string{"n=1#", "n=1#x.y.z", "n=1#1.2", "n=1#-1.2.a"} {
		if _, _, err := cutTrail(broken); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", broken, err)
		}
	}
}

// A trial says what a list tells of its tags.
func TestTold(t *testing.T) {
	now := time.Now()
	for want, page := range map[string][]Tag{
		"":                               nil,
		", with digests and push dates":  {{"1", digestA, now}},
		", with digests; push dates are": {{"1", digestA, now}, {"2", digestB, time.Time{}}},
		", with push dates; each":        {{"1", "", now}},
		", without digests and push":     {{"1", "", now}, {Name: "2"}},
	} {
		if got := told(page); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
