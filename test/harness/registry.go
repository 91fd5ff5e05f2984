package harness

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Notify is where a registry sends its notifications.
type Notify struct {
	URL     string
	Headers map[string]string
}

// RegistryOptions say how a registry is to run. The zero value is an open
// registry that tells nobody.
type RegistryOptions struct {
	Notify   Notify
	HTPasswd string // lines of an htpasswd file (bcrypt); blank: no password
	Token    Token
}

// Token says which token server a registry believes. The zero value is none.
type Token struct {
	Realm   string // its address, which the registry names to whoever shows no token
	Service string
	Issuer  string
	Roots   string // PEM file of the authority of its certificate
}

// Registry is CNCF Distribution on a loopback port, with its storage in the
// test's folder. Deleting is allowed.
type Registry struct {
	Host string // host:port, the first part of references

	dir       string
	command   Command
	processes []*Process // one for each start, the newest last
}

// StartRegistry starts Debian's docker-registry, which is version 2 of
// Distribution, and returns when it answers.
func StartRegistry(tb testing.TB, o RegistryOptions) *Registry {
	tb.Helper()
	return startRegistry(tb, installed(tb, "docker-registry", "docker-registry"), o)
}

// StartRegistry3 starts version 3 of Distribution, of the module proxy, and
// returns when it answers. It can delete tags, and tells of it.
func StartRegistry3(tb testing.TB, o RegistryOptions) *Registry {
	tb.Helper()
	return startRegistry(tb, Install(tb, RegistryProgram), o)
}

func startRegistry(tb testing.TB, program string, o RegistryOptions) *Registry {
	tb.Helper()
	r := &Registry{Host: "127.0.0.1:0", dir: tb.TempDir()}
	r.command = Command{
		Path: program, Args: []string{"serve", filepath.Join(r.dir, "config.yml")},
		Env: []string{"OTEL_TRACES_EXPORTER=none"}, // version 3 would look for a collector
	}
	r.start(tb, o)
	return r
}

// Restart stops the registry, if it still runs, and starts it again at the same
// address with the same storage and other options.
func (r *Registry) Restart(tb testing.TB, o RegistryOptions) {
	tb.Helper()
	r.Stop()
	r.start(tb, o)
}

// Stop makes the registry unreachable.
func (r *Registry) Stop() { r.process().Kill() }

// Done is closed when the registry has ended.
func (r *Registry) Done() <-chan struct{} { return r.process().Done() }

// Err is how the registry ended; it waits for the end.
func (r *Registry) Err() error { return r.process().Err() }

// Stderr is the registry's own log since its last start.
func (r *Registry) Stderr() string { return r.process().Stderr() }

func (r *Registry) process() *Process { return r.processes[len(r.processes)-1] }

// Requests are all requests so far, restarts included, in the order in which
// they were answered. The registry logs a request after its answer, so a marker
// is sent and waited for first; it is not in the list.
func (r *Registry) Requests(tb testing.TB) []Request {
	tb.Helper()
	select {
	case <-r.Done(): // all is written
	default:
		r.mark(tb)
	}
	requests := parseAccessLog(r.accessLog())
	return slices.DeleteFunc(requests, func(q Request) bool { return strings.HasPrefix(q.Path, marker) })
}

// marker begins the path of requests that are not a client's.
const marker = "/v2/?marker="

func (r *Registry) mark(tb testing.TB) {
	tb.Helper()
	path := marker + rand.Text()
	WaitFor(tb, 10*time.Second, "the access log", func(ctx context.Context) error {
		if strings.Contains(r.accessLog(), path) {
			return nil
		}
		_ = Answers("http://" + r.Host + path)(ctx) // a 401 is logged as well
		return errors.New("the marker is not in it")
	}, r)
}

func (r *Registry) accessLog() string {
	var log strings.Builder
	for _, p := range r.processes {
		log.WriteString(p.Stdout())
	}
	return log.String()
}

// Reference is a reference at this registry: of "team/app:1", for example.
func (r *Registry) Reference(tb testing.TB, repository string) name.Reference {
	tb.Helper()
	ref, err := name.ParseReference(r.Host+"/"+repository, name.Insecure)
	if err != nil {
		tb.Fatalf("reference %s: %v", repository, err)
	}
	return ref
}

// Push writes an image to the registry, "team/app:1" for example, and returns
// the digest of its manifest.
func (r *Registry) Push(tb testing.TB, repository string, image v1.Image, options ...remote.Option) v1.Hash {
	tb.Helper()
	if err := remote.Write(r.Reference(tb, repository), image, append(options, remote.WithContext(tb.Context()))...); err != nil {
		tb.Fatalf("push %s: %v", repository, err)
	}
	digest, err := image.Digest()
	if err != nil {
		tb.Fatalf("digest of %s: %v", repository, err)
	}
	return digest
}

// Delete removes a manifest, named by digest, "team/app@sha256:…", or a tag,
// "team/app:1", which only version 3 can.
func (r *Registry) Delete(tb testing.TB, repository string) {
	tb.Helper()
	if err := remote.Delete(r.Reference(tb, repository), remote.WithContext(tb.Context())); err != nil {
		tb.Fatalf("delete %s: %v", repository, err)
	}
}

// BlobFile is the file in which the registry keeps a blob, for tests that
// damage it.
func (r *Registry) BlobFile(digest v1.Hash) string {
	return filepath.Join(r.dir, "storage", "docker", "registry", "v2", "blobs", digest.Algorithm, digest.Hex[:2], digest.Hex, "data")
}

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)

func (r *Registry) start(tb testing.TB, o RegistryOptions) {
	tb.Helper()
	// JSON is YAML.
	config, err := json.MarshalIndent(r.config(tb, o), "", "  ")
	if err != nil {
		tb.Fatalf("registry configuration: %v", err)
	}
	if err := os.WriteFile(r.command.Args[1], config, 0o600); err != nil {
		tb.Fatalf("registry configuration: %v", err)
	}
	r.processes = append(r.processes, Start(tb, r.command))
	WaitFor(tb, 20*time.Second, "the registry's address", func(context.Context) error {
		m := listening.FindStringSubmatch(r.Stderr())
		if m == nil {
			return errors.New("it does not say where it listens")
		}
		r.Host = m[1]
		return nil
	}, r)
	WaitFor(tb, 20*time.Second, "the registry", func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", r.Host)
		if err != nil {
			return err
		}
		return conn.Close()
	}, r)
}

func (r *Registry) config(tb testing.TB, o RegistryOptions) map[string]any {
	tb.Helper()
	config := map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "info", "formatter": "text"},
		"storage": map[string]any{
			"filesystem": map[string]any{"rootdirectory": filepath.Join(r.dir, "storage")},
			"delete":     map[string]any{"enabled": true},
		},
		"http": map[string]any{"addr": r.Host},
	}
	if o.Notify.URL != "" {
		headers := map[string][]string{}
		for k, v := range o.Notify.Headers {
			headers[k] = []string{v}
		}
		config["notifications"] = map[string]any{
			"events": map[string]any{"includereferences": true},
			"endpoints": []any{map[string]any{
				"name": "landwaiter", "url": o.Notify.URL, "headers": headers,
				"timeout": "5s", "threshold": 3, "backoff": "1s",
			}},
		}
	}
	if o.Token != (Token{}) {
		config["auth"] = map[string]any{"token": map[string]any{
			"realm": o.Token.Realm, "service": o.Token.Service, "issuer": o.Token.Issuer, "rootcertbundle": o.Token.Roots,
		}}
	}
	if o.HTPasswd != "" {
		file := filepath.Join(r.dir, "htpasswd")
		if err := os.WriteFile(file, []byte(strings.TrimSpace(o.HTPasswd)+"\n"), 0o600); err != nil {
			tb.Fatalf("registry passwords: %v", err)
		}
		config["auth"] = map[string]any{"htpasswd": map[string]any{"realm": "landwaiter-test", "path": file}}
	}
	return config
}
