package worker

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/landwaiter/landwaiter/events"
)

// fakeRegistry is go-containerregistry's registry with a log of requests and a
// way to make it fail.
type fakeRegistry struct {
	t     testing.TB
	host  string
	inner http.Handler

	mu   sync.Mutex
	srv  *httptest.Server
	log  []string
	fail intercept
}

// intercept may answer a request in the registry's place; it reports whether it
// did.
type intercept func(w http.ResponseWriter, req *http.Request) bool

func startRegistry(tb testing.TB) *fakeRegistry {
	tb.Helper()
	f := &fakeRegistry{t: tb, inner: registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))}
	f.start()
	tb.Cleanup(f.stop)
	return f
}

// start listens, again at the same address after stop.
func (f *fakeRegistry) start() {
	f.t.Helper()
	addr := f.host
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := new(net.ListenConfig).Listen(f.t.Context(), "tcp", addr)
	if err != nil {
		f.t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: f}}
	srv.Start()
	f.host, f.srv = l.Addr().String(), srv
}

// stop closes the port and every connection.
func (f *fakeRegistry) stop() {
	_ = f.srv.Listener.Close() // first, or a client comes back in between
	f.srv.CloseClientConnections()
	f.srv.Close()
}

// ServeHTTP logs the request and answers it, or lets the intercept.
func (f *fakeRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	f.log = append(f.log, req.Method+" "+req.URL.Path)
	fail := f.fail
	f.mu.Unlock()
	if fail != nil && fail(w, req) {
		return
	}
	f.inner.ServeHTTP(w, req)
}

func (f *fakeRegistry) failing(fail intercept) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// status answers every request that has the method and the parts with a status.
func status(code int, method string, parts ...string) intercept {
	return func(w http.ResponseWriter, req *http.Request) bool {
		if !matches(req.Method+" "+req.URL.Path, method, parts) {
			return false
		}
		w.WriteHeader(code)
		return true
	}
}

func matches(line, method string, parts []string) bool {
	missing := func(p string) bool { return !strings.Contains(line, p) }
	return strings.HasPrefix(line, method+" ") && !slices.ContainsFunc(parts, missing)
}

// gets returns how many GET requests had a path that contains all parts.
func (f *fakeRegistry) gets(parts ...string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, line := range f.log {
		if matches(line, http.MethodGet, parts) {
			n++
		}
	}
	return n
}

// forget empties the log.
func (f *fakeRegistry) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = nil
}

// requests returns the log.
func (f *fakeRegistry) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// barrier holds requests back until they are released.
type barrier struct {
	arrived chan struct{} // closed when a request is there
	gone    chan struct{} // closed when its client hung up
	release func()
}

// hold makes the registry hold back the GET requests whose path contains all
// parts.
func (f *fakeRegistry) hold(parts ...string) barrier {
	f.t.Helper()
	arrived, gone, open := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b := barrier{arrived: arrived, gone: gone, release: sync.OnceFunc(func() { close(open) })}
	arrive, hangUp := sync.OnceFunc(func() { close(arrived) }), sync.OnceFunc(func() { close(gone) })
	f.t.Cleanup(b.release)
	f.failing(func(_ http.ResponseWriter, req *http.Request) bool {
		if !matches(req.Method+" "+req.URL.Path, http.MethodGet, parts) {
			return false
		}
		arrive()
		select {
		case <-open:
			return false
		case <-req.Context().Done():
			hangUp()
			return true
		}
	})
	return b
}

func (f *fakeRegistry) ref(ref string) name.Reference {
	f.t.Helper()
	r, err := name.ParseReference(f.host+"/"+ref, name.Insecure)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// push pushes an image and returns its digest.
func (f *fakeRegistry) push(ref string, img v1.Image) events.Digest {
	f.t.Helper()
	if err := remote.Write(f.ref(ref), img); err != nil {
		f.t.Fatal(err)
	}
	return digestOf(f.t, img)
}

// pushIndex pushes an index with its children and returns its digest.
func (f *fakeRegistry) pushIndex(ref string, index v1.ImageIndex) events.Digest {
	f.t.Helper()
	if err := remote.WriteIndex(f.ref(ref), index); err != nil {
		f.t.Fatal(err)
	}
	return digestOf(f.t, index)
}

// remove deletes the image and its tag from team/app.
func (f *fakeRegistry) remove(tag string, d events.Digest) {
	f.t.Helper()
	const repository = "team/app"
	for _, ref := range []string{repository + ":" + tag, repository + "@" + string(d)} {
		if err := remote.Delete(f.ref(ref)); err != nil {
			f.t.Fatal(fmt.Errorf("delete %s: %w", ref, err))
		}
	}
}

func (r *rig) push(ref string, img v1.Image) events.Digest {
	r.t.Helper()
	return r.registry.push(ref, img)
}
