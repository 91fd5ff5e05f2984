package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/registry"
)

// flaky serves content and breaks off after so many bytes of each answer.
type flaky struct {
	content  []byte
	breakAt  int
	noRange  bool
	badRange bool
	requests atomic.Int64
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v2/" {
		return
	}
	f.requests.Add(1)
	rest := f.content
	status := http.StatusOK
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !f.noRange {
		start, err := strconv.Atoi(strings.TrimSuffix(from, "-"))
		if err != nil {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		if f.badRange {
			start--
		}
		rest = f.content[start:]
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(f.content)-1, len(f.content)))
		status = http.StatusPartialContent
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(rest)))
	w.WriteHeader(status)
	if len(rest) > f.breakAt {
		_, _ = w.Write(rest[:f.breakAt])
		if fl, ok := w.(http.Flusher); ok {
			fl.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(rest)
}

func content(n int) []byte {
	b := make([]byte, n)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(b)
	return b
}

func TestBlobResumes(t *testing.T) {
	f := &flaky{content: content(5 << 20), breakAt: 1<<20 + 7}
	c := client(t, serve(t, f), config.Resolved{})
	body, size, err := c.Blob(t.Context(), "a", digest)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, f.content) || size != int64(len(f.content)) {
		t.Fatalf("got %d of %d bytes, %v", len(got), size, err)
	}
	if n := f.requests.Load(); n != 5 {
		t.Errorf("got %d requests, want 5", n)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := body.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: got %v, want EOF", err)
	}
}

func TestBlobWithoutRanges(t *testing.T) {
	f := &flaky{content: content(100), breakAt: 60, noRange: true}
	c := client(t, serve(t, f), config.Resolved{})
	body, _, err := c.Blob(t.Context(), "a", digest)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 60)
	if _, err := io.ReadFull(body, first); err != nil {
		t.Fatal(err)
	}
	f.breakAt = 1000
	rest, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(slices.Concat(first, rest), f.content) {
		t.Fatalf("got %d more bytes, %v", len(rest), err)
	}
	_ = body.Close()
}

func TestBlobGivesUp(t *testing.T) {
	for name, tt := range map[string]struct {
		server *flaky
		want   error
	}{
		"breaks always":   {&flaky{content: content(1000), breakAt: 10}, registry.ErrUnavailable},
		"another range":   {&flaky{content: content(1000), breakAt: 500, badRange: true}, registry.ErrInvalid},
		"never gets past": {&flaky{content: content(1000), breakAt: 10, noRange: true}, registry.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, serve(t, tt.server), config.Resolved{})
			body, _, err := c.Blob(t.Context(), "a", digest)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = io.ReadAll(body); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if n := tt.server.requests.Load(); n > 6 {
				t.Errorf("got %d requests", n)
			}
			_ = body.Close()
		})
	}
}

func TestBlobCancelled(t *testing.T) {
	f := &flaky{content: content(1000), breakAt: 10}
	c := client(t, serve(t, f), config.Resolved{})
	ctx, cancel := context.WithCancel(t.Context())
	body, _, err := c.Blob(ctx, "a", digest)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(body); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	_ = body.Close()
	if _, err := body.Read(make([]byte, 1)); err == nil {
		t.Error("after Close: got no error")
	}
}

// TestSlots shows that a closed body, read or not, gives its slot back.
func TestSlots(t *testing.T) {
	f := &flaky{content: content(1000), breakAt: 5000}
	s := serve(t, f)
	c := clientFor(t, config.Registry{
		Name: "test", Address: strings.TrimPrefix(s.URL, "http://"), Limits: config.Limits{Concurrency: 1},
	}, config.Resolved{})
	for range 5 {
		body, _, err := c.Blob(t.Context(), "a", digest)
		if err != nil {
			t.Fatal(err)
		}
		_ = body.Close()
	}
}
