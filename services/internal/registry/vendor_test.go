package registry

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// reply is what a server answers to one request, and what it wants to be shown.
type reply struct {
	status int    // 0: 200
	header string // Name: value
	body   string
	proof  string // Authorization, or another header as Name: value; blank: none; *: whatever follows
}

// exchange answers the requests it knows, by method, path and sorted query.
// Every other request fails the test.
type exchange struct {
	t       *testing.T
	replies map[string]reply

	mu   sync.Mutex
	seen []string
}

func (e *exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Method + " " + r.URL.EscapedPath()
	if q := r.URL.Query().Encode(); q != "" {
		key += "?" + q
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		key += " " + target[strings.LastIndexByte(target, '.')+1:]
	}
	e.mu.Lock()
	e.seen = append(e.seen, key)
	e.mu.Unlock()
	got, known := e.replies[key]
	if !known {
		if key != "GET /v2/" {
			e.t.Errorf("got a request for %s", key)
			w.WriteHeader(http.StatusNotFound)
		}
		return
	}
	name, want, _ := strings.Cut(got.proof, ": ")
	if want == "" {
		name, want = "Authorization", got.proof
	}
	start, open := strings.CutSuffix(want, "*")
	if proof := r.Header.Get(name); proof != want && (!open || !strings.HasPrefix(proof, start)) {
		e.t.Errorf("%s came with %s %q, want %q", key, name, proof, want)
	}
	if name, value, ok := strings.Cut(got.header, ": "); ok {
		w.Header().Set(name, value)
	}
	w.WriteHeader(cmp.Or(got.status, http.StatusOK))
	_, _ = w.Write([]byte(got.body))
}

func (e *exchange) count(prefix string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, key := range e.seen {
		if strings.HasPrefix(key, prefix) {
			n++
		}
	}
	return n
}

// replay starts the server and makes a client of it.
func replay(t *testing.T, kind config.RegistryType, cred config.Resolved, replies map[string]reply) (*Client, *exchange) {
	t.Helper()
	e := &exchange{t: t, replies: replies}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	cfg := config.Registry{
		Name: "test", Type: kind, Address: strings.TrimPrefix(s.URL, "http://"), Limits: config.Limits{RequestsPerSecond: 10_000},
	}
	c, err := New(cfg, cred, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	switch kind { // those whose interface is elsewhere
	case config.DockerHub:
		c.vendor = newHub(c, cred, s.URL)
	case config.GHCR:
		c.vendor = newGitHub(c, s.URL)
	case config.GAR:
		c.vendor = &gar{api: newAPI(c, s.URL, c.bearerOfPassword), location: "europe-west3"}
	case config.ECR:
		c.auth.(*ecrLogin).ecr.api.move(s.URL)
	default:
	}
	return c, e
}

// all reads a list to its end.
func all[T any](t *testing.T, list func(after string) ([]T, string, error)) ([]T, error) {
	t.Helper()
	var found []T
	after := ""
	for range 20 {
		page, next, err := list(after)
		if err != nil {
			return found, err
		}
		found = append(found, page...)
		if next == "" {
			return found, nil
		}
		after = next
	}
	t.Fatal("the list does not end")
	return nil, nil
}

func catalogOf(t *testing.T, c *Client, patterns ...string) ([]string, error) {
	t.Helper()
	return all(t, func(after string) ([]string, string, error) { return c.Catalog(t.Context(), patterns, after, 2) })
}

func tagsOf(t *testing.T, c *Client, repo string) ([]Tag, error) {
	t.Helper()
	return all(t, func(after string) ([]Tag, string, error) { return c.Tags(t.Context(), repo, after, 2) })
}

func user(name, password string) config.Resolved {
	return config.Resolved{Name: "reader", Type: config.BasicCredential, Username: name, Password: config.NewSecret(password)}
}

const basicUP = "Basic dTpw" // u:p

// TestVendors replays for each vendor the exchange that its documentation
// describes.
func TestVendors(t *testing.T) {
	march := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	april := march.AddDate(0, 1, 0)
	twoTags := []Tag{{"1", digestA, march}, {"2", digestB, april}}
	for _, tt := range []struct {
		kind     config.RegistryType
		cred     config.Resolved
		patterns []string
		replies  map[string]reply
		catalog  []string
		repo     string
		tags     []Tag
	}{
		{
			kind: config.DockerHub, cred: user("u", "p"), patterns: []string{"acme/*", "library/alpine", "other/*"},
			replies: map[string]reply{
				"POST /v2/auth/token": {body: `{"access_token":"jwt"}`},
				"GET /v2/namespaces/acme/repositories?page=1&page_size=2": {
					proof: "Bearer jwt", body: `{"count":3,"next":"https://evil.test/?page=9","results":[{"name":"a"},{"name":"b"}]}`,
				},
				"GET /v2/namespaces/acme/repositories?page=2&page_size=2":  {proof: "Bearer jwt", body: `{"next":null,"results":[{"name":"c"}]}`},
				"GET /v2/namespaces/other/repositories?page=1&page_size=2": {proof: "Bearer jwt", body: `{"results":[]}`},
				"GET /v2/namespaces/acme/repositories/a/tags?page=1&page_size=2": {
					proof: "Bearer jwt",
					body:  fmt.Sprintf(`{"next":"x","results":[{"name":"1","digest":%q,"tag_last_pushed":"2026-03-04T05:06:07Z","images":[]}]}`, digestA),
				},
				"GET /v2/namespaces/acme/repositories/a/tags?page=2&page_size=2": {
					proof: "Bearer jwt",
					body:  fmt.Sprintf(`{"next":null,"results":[{"name":"2","digest":%q,"tag_last_pushed":"2026-04-04T05:06:07Z"}]}`, digestB),
				},
			},
			catalog: []string{"library/alpine", "acme/a", "acme/b", "acme/c"}, repo: "acme/a", tags: twoTags,
		},
		{
			kind: config.Quay, cred: config.Resolved{Type: config.TokenCredential, Token: config.NewSecret("oauth")}, patterns: []string{"acme/*"},
			replies: map[string]reply{
				"GET /api/v1/repository?namespace=acme": {
					proof: "Bearer oauth", body: `{"repositories":[{"namespace":"acme","name":"a"}],"next_page":"gAAA="}`,
				},
				"GET /api/v1/repository?namespace=acme&next_page=gAAA%3D": {proof: "Bearer oauth", body: `{"repositories":[{"namespace":"acme","name":"b"}]}`},
				"GET /api/v1/repository/acme/a/tag/?limit=2&onlyActiveTags=true&page=1": {
					proof: "Bearer oauth",
					body: fmt.Sprintf(`{"has_additional":true,"page":1,"tags":[{"name":"1","manifest_digest":%q,"start_ts":%d,"last_modified":"Wed, 04 Mar 2026 05:06:07 -0000"}]}`,
						digestA, march.Unix()),
				},
				"GET /api/v1/repository/acme/a/tag/?limit=2&onlyActiveTags=true&page=2": {
					proof: "Bearer oauth",
					body:  fmt.Sprintf(`{"has_additional":false,"page":2,"tags":[{"name":"2","manifest_digest":%q,"start_ts":%d}]}`, digestB, april.Unix()),
				},
			},
			catalog: []string{"acme/a", "acme/b"}, repo: "acme/a", tags: twoTags,
		},
		{
			kind: config.Harbor, cred: user("u", "p"),
			replies: map[string]reply{
				"GET /api/v2.0/repositories?page=1&page_size=2": {proof: basicUP, body: `[{"name":"acme/a"},{"name":"acme/deep/b"}]`},
				"GET /api/v2.0/repositories?page=2&page_size=2": {proof: basicUP, body: `[]`},
				"GET /api/v2.0/projects/acme/repositories/deep%252Fb/artifacts?page=1&page_size=2&with_tag=true": {
					proof: basicUP,
					body: fmt.Sprintf(`[{"digest":%q,"push_time":"2026-03-04T05:06:07.000Z","tags":[{"name":"1"}]},`+
						`{"digest":%q,"push_time":"2026-04-04T05:06:07.000Z","tags":[{"name":"2"}]}]`, digestA, digestB),
				},
				"GET /api/v2.0/projects/acme/repositories/deep%252Fb/artifacts?page=2&page_size=2&with_tag=true": {
					proof: basicUP, body: fmt.Sprintf(`[{"digest":%q,"push_time":"2026-04-04T05:06:07.000Z","tags":null}]`, digestA),
				},
			},
			catalog: []string{"acme/a", "acme/deep/b"}, repo: "acme/deep/b", tags: twoTags,
		},
		{
			kind: config.MSR, cred: user("u", "p"),
			replies: map[string]reply{
				"GET /api/v0/repositories?pageSize=2": {
					proof: basicUP, header: "X-Next-Page-Start: 7", body: `{"repositories":[{"namespace":"acme","name":"a"}]}`,
				},
				"GET /api/v0/repositories?pageSize=2&pageStart=7": {proof: basicUP, body: `{"repositories":[{"namespace":"acme","name":"b"}]}`},
				"GET /api/v0/repositories/acme/a/tags?pageSize=2": {
					proof: basicUP,
					body: fmt.Sprintf(`[{"name":"1","digest":%q,"createdAt":"2026-03-04T05:06:07Z"},`+
						`{"name":"2","digest":%q,"createdAt":"2026-03-04T05:06:07Z","updatedAt":"2026-04-04T05:06:07Z"}]`, digestA, digestB),
				},
			},
			catalog: []string{"acme/a", "acme/b"}, repo: "acme/a", tags: twoTags,
		},
		{
			kind: config.JFrog, cred: user("u", "p"),
			replies: map[string]reply{
				"GET /v2/_catalog?n=2":                                     {proof: basicUP, status: http.StatusNotFound},
				"GET /artifactory/api/repositories?packageType=docker":     {proof: basicUP, body: `[{"key":"local","type":"LOCAL"},{"key":"cache","type":"REMOTE"}]`},
				"GET /artifactory/api/docker/cache/v2/_catalog?n=2":        {proof: basicUP, body: `{"repositories":["hello"]}`},
				"GET /artifactory/api/docker/local/v2/_catalog?last=b&n=2": {proof: basicUP, body: `{"repositories":["c"]}`},
				"GET /artifactory/api/docker/local/v2/_catalog?n=2": {
					proof: basicUP, header: `Link: </v2/_catalog?last=b&n=2>; rel="next"`, body: `{"repositories":["a","b"]}`,
				},
				"GET /v2/local/a/tags/list?n=2": {proof: basicUP, body: `{"name":"local/a","tags":["1"]}`},
			},
			catalog: []string{"local/a", "local/b", "local/c", "cache/hello"}, repo: "local/a", tags: []Tag{{Name: "1"}},
		},
		{
			kind: config.GitLab, cred: user("u", "p"), patterns: []string{"acme/*"},
			replies: map[string]reply{
				"GET /v2/": {status: http.StatusUnauthorized, header: `WWW-Authenticate: Bearer realm="http://HOST/jwt/auth",service="container_registry"`},
				"GET /api/v4/groups/acme/registry/repositories?page=1&per_page=2": {
					proof: "Private-Token: p", header: "X-Next-Page: 2", body: `[{"id":1,"path":"acme/app"},{"id":2,"path":"acme/app/web"}]`,
				},
				"GET /api/v4/groups/acme/registry/repositories?page=2&per_page=2": {proof: "Private-Token: p", body: `[{"id":3,"path":"acme/sub/app"}]`},
			},
			catalog: []string{"acme/app", "acme/app/web", "acme/sub/app"},
		},
		{
			kind: config.GHCR, cred: user("u", "p"), patterns: []string{"acme/*"},
			replies: map[string]reply{
				"GET /orgs/acme/packages?package_type=container&page=1&per_page=2": {status: http.StatusNotFound, proof: "Bearer p"},
				"GET /users/acme/packages?package_type=container&page=1&per_page=2": {
					proof: "Bearer p", body: `[{"name":"a","package_type":"container"},{"name":"deep/b"}]`,
					header: `Link: <https://api.github.com/user/1/packages?page=2>; rel="next", <https://api.github.com/user/1/packages?page=2>; rel="last"`,
				},
				"GET /orgs/acme/packages?package_type=container&page=2&per_page=2":  {status: http.StatusNotFound, proof: "Bearer p"},
				"GET /users/acme/packages?package_type=container&page=2&per_page=2": {proof: "Bearer p", body: `[]`},
				"GET /orgs/acme/packages/container/deep%2Fb/versions?page=1&per_page=2": {
					proof: "Bearer p",
					body: fmt.Sprintf(`[{"name":%q,"created_at":"2026-03-04T05:06:07Z","metadata":{"container":{"tags":["1"]}}},`+
						`{"name":%q,"created_at":"2026-04-04T05:06:07Z","metadata":{"container":{"tags":["2"]}}}]`, digestA, digestB),
				},
			},
			catalog: []string{"acme/a", "acme/deep/b"}, repo: "acme/deep/b", tags: twoTags,
		},
		{
			kind: config.ACR,
			replies: map[string]reply{
				"GET /acr/v1/_catalog?n=2":                 {header: `Link: </acr/v1/_catalog?last=a&n=2&orderby=>; rel="next"`, body: `{"repositories":["a"]}`},
				"GET /acr/v1/_catalog?last=a&n=2&orderby=": {body: `{"repositories":["deep/b"]}`},
				"GET /acr/v1/deep/b/_tags?n=2": {
					body: fmt.Sprintf(`{"registry":"x.azurecr.io","imageName":"deep/b","tags":[{"name":"1","digest":%q,"createdTime":"2026-01-01T00:00:00Z","lastUpdateTime":"2026-03-04T05:06:07Z"},`+
						`{"name":"2","digest":%q,"lastUpdateTime":"2026-04-04T05:06:07Z"}]}`, digestA, digestB),
				},
			},
			catalog: []string{"a", "deep/b"}, repo: "deep/b", tags: twoTags,
		},
		{
			kind: config.GAR, cred: user("oauth2accesstoken", "token"), patterns: []string{"proj/*"},
			replies: map[string]reply{
				"GET /v1/projects/proj/locations/europe-west3/repositories?pageSize=1000&pageToken=": {
					proof: "Bearer token",
					body: `{"repositories":[{"name":"projects/proj/locations/europe-west3/repositories/images","format":"DOCKER"},` +
						`{"name":"projects/proj/locations/europe-west3/repositories/jars","format":"MAVEN"}],"nextPageToken":"n"}`,
				},
				"GET /v1/projects/proj/locations/europe-west3/repositories?pageSize=1000&pageToken=n": {proof: "Bearer token", body: `{}`},
				"GET /v1/projects/proj/locations/europe-west3/repositories/images/packages?pageSize=2&pageToken=": {
					proof: "Bearer token",
					body:  `{"packages":[{"name":"projects/proj/locations/europe-west3/repositories/images/packages/deep%2Fb"}],"nextPageToken":"m"}`,
				},
				"GET /v1/projects/proj/locations/europe-west3/repositories/images/packages?pageSize=2&pageToken=m": {
					proof: "Bearer token", body: `{"packages":[{"name":"projects/proj/locations/europe-west3/repositories/images/packages/a"}]}`,
				},
				"GET /v2/proj/images/a/tags/list?n=2": {
					proof: "Basic *",
					body: fmt.Sprintf(`{"child":[],"name":"proj/images/a","tags":["1","2"],"manifest":{`+
						`%q:{"tag":["1"],"timeUploadedMs":"%d","timeCreatedMs":"0"},%q:{"tag":["2"],"timeUploadedMs":"%d"}}}`,
						digestA, march.UnixMilli(), digestB, april.UnixMilli()),
				},
			},
			catalog: []string{"proj/images/deep/b", "proj/images/a"}, repo: "proj/images/a", tags: twoTags,
		},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			c, e := replay(t, tt.kind, tt.cred, tt.replies)
			for key, r := range e.replies {
				r.header = strings.ReplaceAll(r.header, "HOST", c.guard.contact)
				e.replies[key] = r
			}
			got, err := catalogOf(t, c, tt.patterns...)
			if err != nil || !slices.Equal(got, tt.catalog) {
				t.Errorf("catalog: got %v, %v, want %v", got, err, tt.catalog)
			}
			if tt.repo == "" {
				return
			}
			tags, err := tagsOf(t, c, tt.repo)
			if diff := gocmp.Diff(tt.tags, tags); err != nil || diff != "" {
				t.Errorf("tags: %v, %s", err, diff)
			}
		})
	}
}

// A catalog that cannot be is an error that says what to do; one that the
// vendor's interface refuses is read in the plain way.
func TestVendorsWithoutACatalog(t *testing.T) {
	for _, kind := range []config.RegistryType{config.DockerHub, config.GHCR, config.GAR} {
		c, _ := replay(t, kind, config.Resolved{}, nil)
		if _, err := catalogOf(t, c, "*"); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "/*") {
			t.Errorf("%s: got %v, want ErrUnsupported with an example", kind, err)
		}
	}
}

func TestVendorRefusesTheCredential(t *testing.T) {
	c, e := replay(t, config.Harbor, user("robot", "p"), map[string]reply{
		"GET /api/v2.0/projects/acme/repositories/a/artifacts?page=1&page_size=2&with_tag=true": {status: http.StatusUnauthorized, proof: "Basic *"},
		"GET /v2/acme/a/tags/list?n=2": {proof: "Basic *", body: `{"tags":["1","2"]}`},
		"GET /v2/acme/b/tags/list?n=2": {proof: "Basic *", body: `{"tags":["1"]}`},
	})
	if tags, err := tagsOf(t, c, "acme/a"); err != nil || len(tags) != 2 {
		t.Errorf("got %v, %v", tags, err)
	}
	if tags, err := tagsOf(t, c, "acme/b"); err != nil || len(tags) != 1 {
		t.Errorf("got %v, %v", tags, err)
	}
	if n := e.count("GET /api/"); n != 1 {
		t.Errorf("the interface that does not know us was asked %d times", n)
	}
}

// What is in the middle of a vendor's list does not go on in a plain one: names
// would be missing.
func TestVendorFailsInTheMiddle(t *testing.T) {
	c, _ := replay(t, config.Harbor, user("u", "p"), map[string]reply{
		"GET /api/v2.0/repositories?page=1&page_size=2": {proof: basicUP, body: `[{"name":"acme/a"},{"name":"acme/b"}]`},
		"GET /api/v2.0/repositories?page=2&page_size=2": {proof: basicUP, status: http.StatusForbidden},
	})
	if got, err := catalogOf(t, c); !errors.Is(err, ErrUnauthorized) || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}

// A vendor's interface does not send the credential on.
func TestVendorRedirects(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(thief.Close)
	c, _ := replay(t, config.MSR, user("u", "p"), map[string]reply{
		"GET /api/v0/repositories?pageSize=2": {proof: basicUP, status: http.StatusFound, header: "Location: " + thief.URL},
	})
	if _, err := catalogOf(t, c); err == nil {
		t.Error("got no error")
	}
}

// Who sets a registry's type, but not its credential, must not send that to
// another vendor.
func TestTypeAloneSendsNothingAway(t *testing.T) {
	for _, kind := range []config.RegistryType{config.DockerHub, config.GHCR, config.GAR} {
		c, err := New(config.Registry{Name: "test", Type: kind, Address: "registry.example.com"}, user("u", "p"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		c.guard.trusted.Range(func(origin, _ any) bool {
			t.Errorf("%s: the credential may go to %v", kind, origin)
			return true
		})
		c.Close()
	}
}

func TestScopeOf(t *testing.T) {
	for _, tt := range []struct {
		patterns []string
		want     scope
	}{
		{nil, scope{open: true}},
		{[]string{"*"}, scope{open: true}},
		{[]string{"acme/*", "acme/app", "b/c", "b/c"}, scope{namespaces: []string{"acme"}, exact: []string{"b/c"}}},
		{[]string{"acme/x-*", "ac*/y"}, scope{namespaces: []string{"acme"}, open: true}},
		{[]string{"alpine"}, scope{exact: []string{"alpine"}}},
		{[]string{"alp*"}, scope{open: true}},
	} {
		if diff := gocmp.Diff(tt.want, scopeOf(tt.patterns), gocmp.AllowUnexported(scope{})); diff != "" {
			t.Errorf("%v: %s", tt.patterns, diff)
		}
	}
}
