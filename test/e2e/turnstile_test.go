package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/landwaiter/landwaiter/test/harness"
)

// turnstile is a proxy before a registry: it counts who passes, tells of it,
// refuses, and holds back.
type turnstile struct {
	server *httptest.Server
	proxy  *httputil.ReverseProxy

	mu     sync.Mutex
	passed []string // method and path
	pass   func(n int)
	refuse func(*http.Request) bool
	holds  func(*http.Request) bool
	open   chan struct{} // closed when nothing is held any more
	held   int           // requests that stand here now
}

func newTurnstile(t *testing.T, host string) *turnstile {
	t.Helper()
	s := &turnstile{proxy: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})}
	s.proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	s.server = httptest.NewServer(s)
	t.Cleanup(func() { s.server.CloseClientConnections(); s.server.Close() })
	return s
}

func (s *turnstile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	open, refused, pass, n := s.arrive(r)
	if pass != nil {
		pass(n)
	}
	if refused {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if open != nil {
		defer s.leave()
		select {
		case <-open:
		case <-r.Context().Done():
			return
		}
	}
	s.proxy.ServeHTTP(w, r)
}

func (s *turnstile) arrive(r *http.Request) (open <-chan struct{}, refused bool, pass func(int), n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed = append(s.passed, r.Method+" "+r.URL.Path)
	if s.holds != nil && s.holds(r) {
		s.held++
		open = s.open
	}
	return open, s.refuse != nil && s.refuse(r), s.pass, len(s.passed)
}

func (s *turnstile) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held--
}

func (s *turnstile) host() string { return strings.TrimPrefix(s.server.URL, "http://") }

// hold keeps back the requests that are like it, until release.
func (s *turnstile) hold(like func(*http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds, s.open = like, make(chan struct{})
}

func (s *turnstile) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds != nil {
		close(s.open)
		s.holds = nil
	}
}

// standing waits until so many requests are held.
func (s *turnstile) standing(t *testing.T, n int) {
	t.Helper()
	harness.WaitFor(t, soon, fmt.Sprintf("%d requests at the turnstile", n), func(context.Context) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.held != n {
			return fmt.Errorf("%d stand there", s.held)
		}
		return nil
	})
}

// refusing answers 403 to what is like it; nil refuses nothing.
func (s *turnstile) refusing(like func(*http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = like
}

// reads counts the blobs that were asked for, by their digest.
func (s *turnstile) reads() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for _, line := range s.passed {
		if strings.HasPrefix(line, "GET ") && strings.Contains(line, "/blobs/") {
			counts[path.Base(line)]++
		}
	}
	return counts
}

// blobs is like a request for one of these blobs.
func blobs(digests ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodGet && slices.Contains(digests, path.Base(r.URL.Path))
	}
}
