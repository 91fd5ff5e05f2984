package registry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// A registry that asks to be left alone is: nothing more is sent until then.
func TestRest(t *testing.T) {
	var asked atomic.Int64
	header := http.Header{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		asked.Add(1)
		w.Header().Set("Retry-After", header.Get("Retry-After"))
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(s.Close)
	for _, after := range []string{"3600", ""} {
		header.Set("Retry-After", after)
		asked.Store(0)
		c, err := New(config.Registry{Name: "test", Address: s.URL}, config.Resolved{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		for range 3 {
			_, err = c.Head(t.Context(), "a", "1")
			if _, ok := errors.AsType[*Unavailable](err); !ok {
				t.Fatalf("got %v", err)
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("Retry-After %q: asked %d times, want once", after, n)
		}
	}
}

// Where no pulls are left, manifests are not read; tags can be resolved, which
// is not counted.
func TestPullsLeft(t *testing.T) {
	var pulls atomic.Int64
	left := "0;w=21600"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("RateLimit-Limit", "100;w=21600")
		w.Header().Set("RateLimit-Remaining", left)
		w.Header().Set("Docker-Content-Digest", digestA)
		if r.Method == http.MethodGet && r.URL.Path != "/v2/" {
			pulls.Add(1)
		}
	}))
	t.Cleanup(s.Close)
	c, err := New(config.Registry{Name: "test", Address: s.URL}, config.Resolved{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for range 2 {
		if _, err := c.Head(t.Context(), "a", "1"); err != nil {
			t.Fatal(err)
		}
		_, _, err := c.Manifest(t.Context(), "a", digestA)
		var u *Unavailable
		if !errors.As(err, &u) || u.RetryAfter <= 0 || u.RetryAfter > 216*time.Second {
			t.Errorf("got %v, want unavailable for the time of one pull", err)
		}
	}
	if pulls.Load() != 0 {
		t.Errorf("%d pulls were tried", pulls.Load())
	}
}

func TestPullRest(t *testing.T) {
	for _, tt := range []struct {
		left, limit string
		want        time.Duration
	}{
		{"", "", 0},
		{"1;w=21600", "100;w=21600", 0},
		{"0;w=21600", "100;w=21600", 216 * time.Second},
		{"0;w=21600", "", time.Minute},
		{"0", "5000;w=60", time.Minute},
		{"0;w=9999999", "1;w=9999999", time.Hour},
		{"-1", "100;w=1", 0},
		{"x", "y", 0},
	} {
		if got := pullRest(http.Header{"Ratelimit-Remaining": {tt.left}, "Ratelimit-Limit": {tt.limit}}); got != tt.want {
			t.Errorf("%q of %q: got %s, want %s", tt.left, tt.limit, got, tt.want)
		}
	}
}

func FuzzQuota(f *testing.F) {
	f.Add("100;w=21600")
	f.Fuzz(func(t *testing.T, h string) {
		n, window, ok := quota(h)
		if n < 0 || window < 0 || !ok && n != 0 {
			t.Errorf("%q gives %d, %s, %t", h, n, window, ok)
		}
	})
}

// Slots that are given back are taken by those who wait, never more than there
// are at that moment.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots()
		ctx := t.Context()
		for range 3 {
			if err := s.take(ctx, 3); err != nil {
				t.Fatal(err)
			}
		}
		var got atomic.Int64
		for range 4 {
			go func() {
				if s.take(ctx, 2) == nil { // the share has shrunk
					got.Add(1)
				}
			}()
		}
		for i, want := range []int64{0, 1, 2} { // three in use, then two, then one
			s.give()
			synctest.Wait()
			if got.Load() != want {
				t.Errorf("after %d were given back %d were taken, want %d", i+1, got.Load(), want)
			}
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.take(ended, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		s.give()
		s.give()
		synctest.Wait()
		s.give()
		s.give()
		synctest.Wait()
	})
}
