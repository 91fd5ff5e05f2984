package redisstore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/report/internal/redisstore"
)

// expires checks that a key goes by itself, on the wall clock.
func expires(t *testing.T, s *redisstore.Store) {
	t.Helper()
	if err := s.Client.Set(t.Context(), "key", "value", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		n, err := s.Client.DBSize(t.Context()).Result()
		took := time.Since(began)
		switch {
		case err != nil:
			t.Fatal(err)
		case n == 0 && took < 900*time.Millisecond:
			t.Fatalf("key expired after %s, want a second", took)
		case n == 0:
			return
		case took > 10*time.Second:
			t.Fatal("key does not expire")
		}
	}
}

func TestChild(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on PATH: apt-get install redis-server runs this test")
	}
	dir := t.TempDir()
	s, err := redisstore.Open(t.Context(), redisstore.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Description, "redis-server of our own") {
		t.Errorf("description is %q", s.Description)
	}
	expires(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) > 0 {
		t.Errorf("after Close %v is left, %v", left, err)
	}
}

// A redis-server that the system or an operator ended comes back, empty, at the
// same place.
func TestChildIsStartedAgain(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on PATH: apt-get install redis-server runs this test")
	}
	dir := t.TempDir()
	s, err := redisstore.Open(t.Context(), redisstore.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Client.Set(t.Context(), "key", "value", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		before := process(t, s)
		if p, err := os.FindProcess(before); err != nil || p.Kill() != nil {
			t.Fatalf("process %d cannot be killed: %v", before, err)
		}
		limit := time.Now().Add(20 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for s.Client.Ping(t.Context()).Err() != nil || slices.Contains([]int{0, before}, process(t, s)) {
			if time.Now().After(limit) {
				t.Fatal("redis-server is not started again")
			}
			<-tick.C
		}
		if n, err := s.Client.Exists(t.Context(), "key").Result(); err != nil || n != 0 {
			t.Errorf("the new server holds %d keys of the old one, %v", n, err)
		}
	}
	last := process(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if p, err := os.FindProcess(last); err == nil && p.Signal(syscall.Signal(0)) == nil {
		t.Errorf("after Close process %d is still there", last)
	}
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) > 0 {
		t.Errorf("after Close %v is left, %v", left, err)
	}
}

// process is the id of the server's process.
func process(t *testing.T, s *redisstore.Store) int {
	t.Helper()
	info, err := s.Client.Info(t.Context(), "server").Result()
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(info, "process_id:")
	text, _, _ := strings.Cut(rest, "\r\n")
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 1 {
		t.Fatalf("no process id in %q: %v", info, err)
	}
	return pid
}

func TestInProcess(t *testing.T) {
	s, err := redisstore.Open(t.Context(), redisstore.Options{InProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	expires(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func TestURL(t *testing.T) {
	s, err := redisstore.Open(t.Context(), redisstore.Options{URL: redistest.Start(t).URL()})
	if err != nil {
		t.Fatal(err)
	}
	expires(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func TestAddressOfNoRedis(t *testing.T) {
	for _, address := range []string{
		"http://localhost", "redis://:hunter2@localhost:port", "redis://:hun/ter2@localhost:6379", "redis://:12/hunter2@localhost",
	} {
		_, err := redisstore.Open(t.Context(), redisstore.Options{URL: address})
		if err == nil {
			t.Errorf("address %q of no Redis was accepted", address)
			continue
		}
		if !strings.Contains(err.Error(), "redis://host:port/db") || strings.Contains(err.Error(), "hun") {
			t.Errorf("address %q: error %q lacks the remedy, or shows the password", address, err)
		}
	}
}
