package landwaiter_test

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/landwaiter"
)

var update = flag.Bool("update", false, "write the golden files anew")

// patience bounds every wait: a start, a scan.
const patience = 60 * time.Second

// layer is a compressed layer with the files, in order of their names' pairs.
func layer(t *testing.T, files ...string) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const dpkgStatus = `Package: libexpat1
Status: install ok installed
Architecture: amd64
Source: expat
Version: 2.5.0-1
Maintainer: Debian <debian@example.org>

Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib
Version: 1:1.2.13.dfsg-1
Maintainer: Debian <debian@example.org>

`

// debian is an image of two layers with two packages.
func debian(t *testing.T) v1.Image {
	t.Helper()
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		mutate.Addendum{
			Layer: layer(t,
				"etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
				"var/lib/dpkg/status", dpkgStatus),
			History: v1.History{CreatedBy: "debootstrap bookworm"},
		},
		mutate.Addendum{Layer: layer(t, "app/VERSION", "1\n"), History: v1.History{CreatedBy: "COPY VERSION /app/"}})
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file.OS, file.Architecture = "linux", "amd64"
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	return mutate.ConfigMediaType(img, types.OCIConfigJSON)
}

// advisories is a directory in OSV export layout about the image's packages.
func advisories(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "Debian"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "Debian", "all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for id, record := range map[string]string{
		"DEBIAN-CVE-2001-0001": `"upstream": ["CVE-2001-0001"],
			"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
			"affected": [{"package": {"ecosystem": "Debian:12", "name": "expat"},
				"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.5.0-1+deb12u1"}]}]}]`,
		"DEBIAN-CVE-2001-0002": `"upstream": ["CVE-2001-0002"],
			"affected": [{"package": {"ecosystem": "Debian:12", "name": "zlib"},
				"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]`,
		"DEBIAN-CVE-2001-0003": `"upstream": ["CVE-2001-0003"],
			"affected": [{"package": {"ecosystem": "Debian:12", "name": "zlib"},
				"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1:1.2.13.dfsg-1"}]}]}]`,
	} {
		out, err := w.Create(id + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(out, `{"schema_version": "1.7.3", "id": %q, "modified": "2001-02-03T04:05:06Z", %s}`, id, record); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// imageRegistry is a registry that tells nobody.
type imageRegistry struct {
	host string
}

func startRegistry(t *testing.T) imageRegistry {
	t.Helper()
	srv := httptest.NewServer(registry.New(registry.Logger(zap.NewStdLog(zap.NewNop()))))
	t.Cleanup(srv.Close)
	return imageRegistry{host: strings.TrimPrefix(srv.URL, "http://")}
}

// push stores the image and returns its digest.
func (r imageRegistry) push(t *testing.T, ref string, img v1.Image) string {
	t.Helper()
	tag, err := name.NewTag(r.host + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// installation is `landwaiter up` in this process.
type installation struct {
	data, config, advisories string
	env                      map[string]string

	console, hooks, token string
	stop                  func() int
	lines                 *bufio.Scanner
}

func newInstallation(t *testing.T, r imageRegistry) *installation {
	t.Helper()
	in := &installation{
		data: t.TempDir(), config: filepath.Join(t.TempDir(), "landwaiter.yaml"), advisories: advisories(t),
		env: map[string]string{"HOOK_SECRET": "0123456789abcdef0123456789abcdef"},
	}
	err := os.WriteFile(in.config, fmt.Appendf(nil, `registries:
  - name: local
    type: oci
    address: http://%s
    webhook: {secret: {env: HOOK_SECRET}}
rules:
  - name: all
    registry: local
    repositories: [team/app]
    onPush: true
`, r.host), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (in *installation) getenv(name string) string { return in.env[name] }

// up starts the installation and waits for its greeting and its advisories.
func (in *installation) up(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	env := maps.Clone(in.env) // the services read on while the test goes on writing
	out, stdout := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		code := landwaiter.Run(ctx, landwaiter.Env{
			Program: "landwaiter", Getenv: func(name string) string { return env[name] },
			Stdin: strings.NewReader(""), Stdout: stdout, Stderr: &stderr,
			Args: []string{
				"up", "--config", in.config, "--data", in.data, "--advisories", in.advisories,
				"--http", "127.0.0.1:0", "--ingest", "127.0.0.1:0",
			},
		})
		_ = stdout.Close()
		ended <- code
	}()
	watchdog := time.AfterFunc(patience, func() { _ = out.CloseWithError(fmt.Errorf("no greeting within %s", patience)) })
	stopped := false
	in.stop = func() int {
		if stopped {
			return 0
		}
		stopped = true
		cancel()
		go func() { _, _ = io.Copy(io.Discard, out) }()
		code := <-ended
		if code != 0 {
			t.Errorf("up ended with %d: %s", code, stderr.String())
		}
		return code
	}
	t.Cleanup(func() { in.stop() })
	in.lines = bufio.NewScanner(out)
	in.read(t, func(line string) bool {
		if s, found := strings.CutPrefix(line, "  Console "); found {
			in.console = strings.TrimSpace(s)
		}
		if s, found := strings.CutPrefix(line, "  Webhooks "); found {
			in.hooks, _, _ = strings.Cut(strings.TrimSpace(s), "/hooks/")
		}
		if s, found := strings.CutPrefix(line, "  Admin token lw_"); found {
			in.token = "lw_" + strings.Fields(s)[0]
		}
		return strings.HasPrefix(line, "  Advisories  3 records") && in.console != ""
	}, &stderr)
	watchdog.Stop()
	in.env["LANDWAITER_URL"], in.env["LANDWAITER_TOKEN"] = in.console, in.token
}

func (in *installation) read(t *testing.T, last func(string) bool, stderr *bytes.Buffer) {
	t.Helper()
	for in.lines.Scan() {
		if last(in.lines.Text()) {
			return
		}
	}
	t.Fatalf("up ended before it was up: %v; %s", in.lines.Err(), stderr.String())
}

// result is what a command did.
type result struct {
	code           int
	stdout, stderr string
}

// command runs one command against the installation.
func (in *installation) command(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := landwaiter.Run(ctx, landwaiter.Env{
		Program: "landwaiter", Getenv: in.getenv, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Args: args,
	})
	return result{code, stdout.String(), stderr.String()}
}

// notify tells the installation of a push, as the Distribution registry does.
func (in *installation) notify(t *testing.T, host, repository, tag, digest string) {
	t.Helper()
	hook := in.command(t, "webhook", "local")
	if hook.code != 0 {
		t.Fatalf("webhook: %+v", hook)
	}
	body, err := json.Marshal(map[string]any{"events": []any{map[string]any{
		"id": "push-1", "timestamp": time.Now().UTC().Format(time.RFC3339Nano), "action": "push",
		"target": map[string]any{
			"mediaType": string(types.OCIManifestSchema1), "digest": digest, "repository": repository, "tag": tag,
			"size": 500, "length": 500, "url": "http://" + host + "/v2/" + repository + "/manifests/" + digest,
		},
		"request": map[string]any{"id": "r1", "host": host, "method": "PUT"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(strings.TrimSpace(hook.stdout), "application/vnd.docker.distribution.events.v1+json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode/100 != 2 {
		t.Fatalf("webhook answered %s", res.Status)
	}
}

var changing = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?`)

// database is the version of one, which changes with the format of its file.
var database = regexp.MustCompile(`\(sha256:[0-9a-f]{12}\)`)

// golden compares output with a file, times, addresses and databases made the
// same.
func golden(t *testing.T, file, host, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, host, "registry.test")
	got = changing.ReplaceAllString(got, "TIME")
	got = database.ReplaceAllString(got, "(DATABASE)")
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The address decides how wide a column is.
	if diff := cmp.Diff(squeeze(string(want)), squeeze(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

var spaces = regexp.MustCompile(` {2,}`)

func squeeze(s string) string { return spaces.ReplaceAllString(s, "  ") }
