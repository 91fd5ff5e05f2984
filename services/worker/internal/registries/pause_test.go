package registries

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const emptyManifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
	`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`

// limit is what a registry says when it has had enough.
type limit struct {
	header http.Header
	status int  // 0: the header says it all
	pulls  bool // it counts nothing else
}

// limiting is a registry that has had enough of some requests once it is full.
type limiting struct {
	http.Handler

	mu    sync.Mutex
	full  bool
	limit limit
	asked int // since it is full, of what it counts
}

func (l *limiting) fill(to limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full, l.limit = true, to
}

func (l *limiting) seen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

func (l *limiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	pull := r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/")
	counts := l.full && (pull || !l.limit.pulls)
	// The library asks twice how to log in where the first answer is slow, and
	// does not wait for the second: it may arrive when the registry is full.
	login := r.URL.Path == "/v2/"
	status := 0
	if l.full {
		maps.Copy(w.Header(), l.limit.header)
	}
	if counts && !login {
		l.asked++
	}
	if counts {
		status = l.limit.status
	}
	l.mu.Unlock()
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	l.Handler.ServeHTTP(w, r)
}

func serveLimiting(t *testing.T) (*limiting, string) {
	t.Helper()
	l := &limiting{Handler: ggcr.New(ggcr.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))}
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	for _, put := range []struct{ method, path, body string }{
		{http.MethodPost, "/v2/app/blobs/uploads/?digest=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "{}"},
		{http.MethodPut, "/v2/app/manifests/1", emptyManifest},
	} {
		req := httptest.NewRequest(put.method, put.path, strings.NewReader(put.body))
		req.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		answer := httptest.NewRecorder()
		l.ServeHTTP(answer, req)
		if answer.Code/100 != 2 {
			t.Fatalf("%s: %d %s", put.path, answer.Code, answer.Body)
		}
	}
	return l, s.URL
}

// follow makes a worker's set that knows the registries.
func follow(t *testing.T, st *state.Store) *Set {
	t.Helper()
	s := New(func(string) (config.Resolved, error) { return config.Resolved{}, nil }, zap.NewNop())
	ready := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { _ = s.Follow(ctx, st, func() { close(ready) }) })
	t.Cleanup(func() { cancel(); done.Wait() })
	<-ready
	return s
}

// TestPauseHoldsForAllWorkers has two workers at one registry that limits, in
// all the ways that are documented. What one of them is told, both keep; the
// other registry, and what is not limited, they go on reading.
func TestPauseHoldsForAllWorkers(t *testing.T) {
	st, err := state.Open(t.Context(), natstest.Bus(t, natstest.Start(t), "worker"))
	if err != nil {
		t.Fatal(err)
	}
	const hour = time.Hour
	tests := []struct {
		name string
		limit
		least, most time.Duration // of the pause
		says        string
	}{
		{"429 for an hour", limit{status: 429, header: http.Header{"Retry-After": {"3600"}}}, hour - time.Minute, hour, "status 429"},
		{"429 until a date", limit{status: 429, header: http.Header{"Retry-After": {time.Now().Add(hour).UTC().Format(http.TimeFormat)}}}, hour - time.Minute, hour, "status 429"},
		{"429, silent", limit{status: 429}, 0, 5 * time.Second, "status 429"},
		{"429 for ten years", limit{status: 429, header: http.Header{"Retry-After": {"315360000"}}}, 23 * hour, 24 * hour, "87600h0m0s, of which 24h0m0s are kept"},
		{"429 for longer than there are numbers", limit{status: 429, header: http.Header{"Retry-After": {strings.Repeat("9", 40)}}}, 23 * hour, 24 * hour, "24h0m0s are kept"},
		{"503 for an hour", limit{status: 503, header: http.Header{"Retry-After": {"3600"}}}, hour - time.Minute, hour, "status 503"},
		// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
		{"GitHub's primary limit", limit{status: 403, header: http.Header{
			"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {strconv.FormatInt(time.Now().Add(hour).Unix(), 10)},
		}}, hour - time.Minute, hour, "status 403"},
		{"GitHub's secondary limit", limit{status: 403, header: http.Header{"Retry-After": {"3600"}}}, hour - time.Minute, hour, "status 403"},
		// https://docs.docker.com/docker-hub/usage/pulls/
		{"Docker Hub's last pull", limit{pulls: true, header: http.Header{
			"Ratelimit-Limit": {"100;w=21600"}, "Ratelimit-Remaining": {"0;w=21600"},
		}}, 3 * time.Minute, 4 * time.Minute, "no pulls are left"},
		{"Docker Hub's pull too many", limit{pulls: true, status: 429, header: http.Header{
			"Ratelimit-Limit": {"100;w=21600"}, "Ratelimit-Remaining": {"0;w=21600"},
		}}, 3 * time.Minute, 4 * time.Minute, "no pulls are left"},
	}
	var limited []*limiting
	configure := func(name string) *limiting {
		l, address := serveLimiting(t)
		if _, err := st.Registries.Create(t.Context(), failpoint.ConfigRegistry, name, state.Managed[config.Registry]{
			Value: config.Registry{Name: name, Address: address},
		}); err != nil {
			t.Fatal(err)
		}
		return l
	}
	configure("free")
	for i := range tests {
		limited = append(limited, configure(fmt.Sprintf("hub%d", i)))
	}
	first, second := follow(t, st), follow(t, st)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := fmt.Sprintf("hub%d", i)
			var digest string
			for _, worker := range []*Set{first, second} { // each has leased requests
				digest = head(t, worker, name).Digest
			}
			limited[i].fill(tt.limit)
			if err := pull(t, first, name, digest); tt.status != 0 && !errors.Is(err, registry.ErrPaused) {
				t.Fatalf("got %v, want ErrPaused", err)
			}
			toldOf(t, second, name)
			for _, worker := range []*Set{first, second} {
				err := pull(t, worker, name, digest)
				var u *registry.Unavailable
				if !errors.As(err, &u) || !u.Paused || u.RetryAfter < tt.least || u.RetryAfter > tt.most {
					t.Fatalf("got %v, want a pause from %s to %s", err, tt.least, tt.most)
				}
				for _, want := range []string{"registry " + name, "until 20", tt.says} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("got %v, which lacks %q", err, want)
					}
				}
				head(t, worker, "free")
				if tt.pulls {
					head(t, worker, name)
				}
			}
			if n := limited[i].seen(); n != 1 {
				t.Errorf("the registry was asked %d times since it had had enough, want once", n)
			}
		})
	}
	late := follow(t, st)
	if err := pull(t, late, "hub0", "sha256:"+strings.Repeat("0", 64)); !errors.Is(err, registry.ErrPaused) {
		t.Errorf("a worker that comes later: got %v, want ErrPaused", err)
	}
}

// A wish is one to whom it was said: another credential has limits of its own.
func TestPauseIsOfTheCredential(t *testing.T) {
	st, err := state.Open(t.Context(), natstest.Bus(t, natstest.Start(t), "worker"))
	if err != nil {
		t.Fatal(err)
	}
	budgetOf := func(credential string) *budget {
		return newBudget(st, config.Registry{Name: "hub", Credential: credential}, "a", zap.NewNop())
	}
	budgetOf("").Rest(t.Context(), registry.Pause{Until: time.Now().Add(time.Hour), Why: "status 429"})
	rec, err := st.Pauses.Get(t.Context(), "hub")
	if err != nil {
		t.Fatal(err)
	}
	for credential, want := range map[string]error{"": registry.ErrPaused, "paid": nil} {
		b := budgetOf(credential)
		b.hear(rec.Value)
		if _, err := b.Wait(t.Context(), registry.Everything); !errors.Is(err, want) {
			t.Errorf("credential %q: got %v, want %v", credential, err, want)
		}
	}
}

func head(t *testing.T, s *Set, name string) registry.Descriptor {
	t.Helper()
	reg, err := s.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	d, err := reg.Head(t.Context(), "app", "1")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func pull(t *testing.T, s *Set, name, digest string) error {
	t.Helper()
	reg, err := s.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = reg.Manifest(t.Context(), "app", digest)
	return err
}

// toldOf waits until the set has heard of a registry's pause.
func toldOf(t *testing.T, s *Set, name string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		s.mu.Lock()
		heard := len(s.pauses[name]) > 0
		s.mu.Unlock()
		if heard {
			return
		}
		select {
		case <-t.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
	t.Fatalf("the pause of %s is not known to the other worker", name)
}
