// Package e2e runs landwaiter as its users do: its binaries, Debian's registry
// and Redis, a real image, and what can go wrong with all of them.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/test/harness"
)

const (
	token      = "end-to-end-admin-token"
	hookSecret = "end-to-end-hook-secret"
	soon       = 60 * time.Second // generous: the machine may be busy
)

// installation is a landwaiter under test with the registry it watches.
type installation struct {
	t        *testing.T
	registry *harness.Registry
	redis    *harness.Redis // nil: the embedded choice
	config   string         // file
	data     string
	env      []string
	up       *harness.Process
	console  string // base URL
	hooks    string // base URL
}

type options struct {
	redis    bool
	registry *harness.Registry // nil: Debian's
	rule     string            // further lines of the one rule, indented by four
	env      []string
}

// install starts registry, landwaiter and, where asked for, Redis, and tells
// the registry where to send its notifications.
func install(t *testing.T, o options) *installation {
	t.Helper()
	harness.EndToEnd(t)
	in := &installation{t: t, registry: o.registry, data: t.TempDir(), env: o.env}
	if in.registry == nil {
		in.registry = harness.StartRegistry(t, harness.RegistryOptions{})
	}
	in.config = filepath.Join(t.TempDir(), "landwaiter.yaml")
	in.write(fmt.Sprintf(`registries:
  - name: local
    type: oci
    address: http://%s
    webhook: {secret: {env: HOOK_SECRET}}
rules:
  - name: everything
    registry: local
    onPush: true
%s`, in.registry.Host, o.rule))
	in.console, in.hooks = "http://"+free(t), "http://"+free(t)
	if o.redis {
		in.redis = harness.StartRedis(t)
		in.env = append(in.env, "LANDWAITER_REDIS="+in.redis.URL)
	}
	in.start()
	in.notify()
	return in
}

func (in *installation) write(config string) {
	in.t.Helper()
	if err := os.WriteFile(in.config, []byte(config), 0o600); err != nil {
		in.t.Fatal(err)
	}
}

// notify makes the registry send its notifications to ingest.
func (in *installation) notify() {
	in.t.Helper()
	in.registry.Restart(in.t, harness.RegistryOptions{
		Notify: harness.Notify{URL: in.hooks + "/hooks/local/" + hookSecret},
	})
}

// start runs `landwaiter up` and waits until its API answers.
func (in *installation) start() {
	in.t.Helper()
	http, ingest := strings.TrimPrefix(in.console, "http://"), strings.TrimPrefix(in.hooks, "http://")
	in.up = harness.Start(in.t, harness.Command{
		Path: harness.Binary(in.t, "landwaiter"),
		Args: []string{"up", "--config", in.config, "--data", in.data, "--http", http, "--ingest", ingest},
		Env: append([]string{
			"LANDWAITER_ADMIN_TOKEN=" + token, "HOOK_SECRET=" + hookSecret, "LANDWAITER_LOG_LEVEL=info",
			"LANDWAITER_ADVISORIES_SOURCE=" + advisoriesDir(in.t),
		}, in.env...),
	})
	harness.WaitFor(in.t, soon, "the API", func(ctx context.Context) error {
		return in.get(ctx, "/api/v1/images", &struct{}{})
	}, in.up)
}

// advisoriesDir is a directory in OSV export layout: the one the environment
// names, else the small sample set in the repository.
func advisoriesDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("LANDWAITER_ADVISORIES"); dir != "" {
		return dir
	}
	return filepath.Join(harness.Top(t), "services", "landwaiter", "sample")
}

// get asks the API and decodes its answer.
func (in *installation) get(ctx context.Context, path string, into any) error {
	return in.call(ctx, http.MethodGet, path, nil, into)
}

func (in *installation) call(ctx context.Context, method, path string, body, into any) error {
	var content io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, in.console+path, content)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return &answer{res.StatusCode, string(raw)}
	}
	if into == nil || len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// answer is an API's answer that is no success.
type answer struct {
	code int
	body string
}

func (a *answer) Error() string { return fmt.Sprintf("status %d: %s", a.code, a.body) }

// report is what the tests read of a report.
type report struct {
	Image struct {
		Repository string
		Tags       []string
		Digest     string
	}
	Status       int
	Error        string
	Completeness struct {
		Complete bool
		Notes    []struct{ Code, Message string }
	}
	Packages []struct {
		Name, Version, PURL string
		Source              struct{ Name, Version string }
		Layer               struct {
			Index     int
			CreatedBy string
		}
	}
	Findings []struct {
		ID, Package, FixedVersion, Severity string
		Aliases, Advisories                 []string
		Layer                               struct {
			Index     int
			CreatedBy string
		}
	}
}

// reported waits for the image's report to have the status.
func (in *installation) reported(digest string, status int) report {
	in.t.Helper()
	var r report
	harness.WaitFor(in.t, soon, fmt.Sprintf("report of %s with status %d", digest, status), func(ctx context.Context) error {
		r = report{}
		if err := in.get(ctx, "/api/v1/reports/"+digest, &r); err != nil {
			return err
		}
		if r.Status != status {
			return fmt.Errorf("status is %d: %s", r.Status, r.Error)
		}
		return nil
	}, in.up)
	return r
}

// command runs the landwaiter command against the installation.
func (in *installation) command(args ...string) harness.Result {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(in.t.Context(), 2*soon)
	defer cancel()
	return harness.Run(ctx, in.t, harness.Command{
		Path: harness.Binary(in.t, "landwaiter"), Args: args,
		Env: []string{"LANDWAITER_URL=" + in.console, "LANDWAITER_TOKEN=" + token},
	})
}

// images lists what the API lists.
func (in *installation) images(ctx context.Context) ([]listed, error) {
	var list struct{ Images []listed }
	err := in.get(ctx, "/api/v1/images", &list)
	return list.Images, err
}

type listed struct {
	Repository, Digest string
	Tags               []string
	Status             int
	MissingSince       time.Time
}

// condition is what the API says keeps the registry from being read.
type condition struct {
	Error         string
	Since, LastAt time.Time
	Count         int
}

// conditioned waits until the API says, of the registry, something with the
// words; none means nothing.
func (in *installation) conditioned(words string) condition {
	in.t.Helper()
	var registry struct{ Condition *condition }
	harness.WaitFor(in.t, soon, "the registry's condition", func(ctx context.Context) error {
		registry.Condition = nil
		if err := in.get(ctx, "/api/v1/registries/local", &registry); err != nil {
			return err
		}
		if c := registry.Condition; (c == nil) != (words == "") || c != nil && !strings.Contains(c.Error, words) {
			return fmt.Errorf("it is %+v", c)
		}
		return nil
	}, in.up)
	if registry.Condition == nil {
		return condition{}
	}
	return *registry.Condition
}

// deliver posts the notification of a push that Distribution would send: the
// registry itself cannot while it is away, or takes no pushes.
func (in *installation) deliver(repository, tag string) {
	in.t.Helper()
	body := fmt.Sprintf(`{"events":[{"id":%q,"timestamp":%q,"action":"push","target":{
		"mediaType":"application/vnd.oci.image.manifest.v1+json","size":500,"repository":%q,"tag":%q,"digest":"sha256:%064x"}}]}`,
		repository+tag, time.Now().UTC().Format(time.RFC3339Nano), repository, tag, len(repository))
	req, err := http.NewRequestWithContext(in.t.Context(), http.MethodPost, in.hooks+"/hooks/local/"+hookSecret, strings.NewReader(body))
	if err != nil {
		in.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.docker.distribution.events.v1+json")
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 2 {
		in.t.Fatalf("the notification was answered with %s", res.Status)
	}
}
