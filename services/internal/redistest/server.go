// Package redistest runs a real redis-server beside a test.
package redistest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// patience bounds how long a server may take to start.
	patience = 10 * time.Second
	// look is how often it is asked whether it has.
	look = 10 * time.Millisecond
)

// Server is a redis-server of one test, ended with it.
type Server struct {
	// Socket is the Unix socket it answers on.
	Socket string
	client *redis.Client
	path   string
	kill   func() // ends the process that runs and waits for its end
}

// Start runs the redis-server found on PATH, without persistence, on a socket
// of its own. Where there is none the test is skipped.
func Start(tb testing.TB) *Server {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Skip("no redis-server on PATH: apt-get install redis-server runs this test")
	}
	// Not t.TempDir, whose name may be too long for a socket's.
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // see above
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{Socket: filepath.Join(dir, "s"), path: path}
	s.run(tb)
	tb.Cleanup(func() { s.kill() })
	s.client = redis.NewClient(&redis.Options{
		Network: "unix", Addr: s.Socket, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	tb.Cleanup(func() { _ = s.client.Close() })
	s.await(tb)
	return s
}

// run starts the process.
func (s *Server) run(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	//nolint:gosec // the redis-server found on PATH
	cmd := exec.CommandContext(ctx, s.path, "-")
	cmd.Stdin = strings.NewReader("port 0\nunixsocket " + s.Socket + "\nsave \"\"\nappendonly no\ndir " + filepath.Dir(s.Socket) + "\n")
	if err := cmd.Start(); err != nil {
		cancel()
		tb.Fatalf("start %s: %v", s.path, err)
	}
	s.kill = sync.OnceFunc(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
}

// Stop kills the server: what it held is lost.
func (s *Server) Stop() { s.kill() }

// Resume starts an empty server in the place of the one that was stopped.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	s.run(tb)
	s.await(tb)
}

func (s *Server) await(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		err := s.client.Ping(ctx).Err()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			tb.Fatalf("redis-server did not start: %v", err)
		case <-tick.C:
		}
	}
}

// Client is connected to the server; it is closed with the test.
func (s *Server) Client() *redis.Client { return s.client }

// URL is the server's address as landwaiter takes it.
func (s *Server) URL() string { return "unix://" + s.Socket }
