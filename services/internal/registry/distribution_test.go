package registry_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/registry"
)

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)

// distribution starts Debian's docker-registry, which lets in u with the
// password "right".
func distribution(t *testing.T) (host string) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed")
	}
	dir := t.TempDir()
	users := filepath.Join(dir, "users")
	settings, err := json.Marshal(map[string]any{ // JSON is YAML
		"version": "0.1", "log": map[string]any{"level": "info", "formatter": "text"},
		"storage": map[string]any{"filesystem": map[string]any{"rootdirectory": filepath.Join(dir, "storage")}},
		"http":    map[string]any{"addr": "127.0.0.1:0"},
		"auth":    map[string]any{"htpasswd": map[string]any{"realm": "test", "path": users}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{
		users:                            []byte("u:$2a$04$IZDpc1RedAm0Jy5HdSntHOu0x.glsfT9EafhdvUVqWBV6VneZ0ww6\n"),
		filepath.Join(dir, "config.yml"): settings,
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "serve", filepath.Join(dir, "config.yml"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found, drained := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(drained)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait()
	})
	select {
	case host = <-found:
	case <-drained:
		t.Fatal("docker-registry ended before it listened")
	}
	return host
}

// TestDistribution reads from the registry that most others are made of.
func TestDistribution(t *testing.T) {
	host := distribution(t)
	var want []string
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		repository := fmt.Sprintf("acme/app%d", i)
		want = append(want, repository)
		for _, tag := range []string{"1", "2", "3"} {
			ref, err := name.ParseReference(host+"/"+repository+":"+tag, name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			if err := remote.Write(ref, img, remote.WithAuth(&authn.Basic{Username: "u", Password: "right"}), remote.WithTransport(&http.Transport{})); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := clientFor(t, config.Registry{Name: "test", Address: host}, basic("right"))
	var got []string
	for after, pages := "", 0; pages == 0 || after != ""; pages++ {
		page, next, err := c.Catalog(t.Context(), nil, after, 2)
		if err != nil || pages > 5 {
			t.Fatalf("page %d: %v", pages, err)
		}
		got, after = append(got, page...), next
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	tags, _, err := c.Tags(t.Context(), "acme/app0", "", 0)
	if err != nil || len(tags) != 3 {
		t.Errorf("got %v, %v", tags, err)
	}
	var steps []string
	fresh := clientFor(t, config.Registry{Name: "test", Address: host}, basic("right"))
	fresh.Try(t.Context(), registry.Wanted{}, func(s registry.Step) {
		steps = append(steps, s.Name)
		if s.Err != nil {
			t.Errorf("%s: %v", s.Name, s.Err)
		}
		if s.Name == registry.StepTags && !strings.HasPrefix(s.Detail, "3 tags in acme/app0, without digests and push dates") {
			t.Errorf("got %q", s.Detail)
		}
	})
	if len(steps) != 7 {
		t.Errorf("got steps %v", steps)
	}
	if err := clientFor(t, config.Registry{Name: "test", Address: host}, basic("wrong")).Ping(t.Context()); !errors.Is(err, registry.ErrUnauthorized) {
		t.Errorf("wrong password: got %v", err)
	}
}
