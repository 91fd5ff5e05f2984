// Package natstest runs a real NATS server with JetStream inside a test.
package natstest

import (
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// patience bounds how long a server may take to start.
const patience = 10 * time.Second

// Server is a broker of one test, stopped at its end.
type Server struct {
	opts *server.Options
	ns   *server.Server
}

// Option changes how the server is configured.
type Option func(*server.Options)

// Start runs a server on a free port of the loopback address, with its store
// in a folder of its own. It does not sync each write: only the process dies in
// tests, not the machine.
func Start(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s := &Server{opts: &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT,
		JetStream: true, StoreDir: tb.TempDir(),
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 1 << 30,
		NoLog: true, NoSigs: true,
	}}
	for _, o := range opts {
		o(s.opts)
	}
	tb.Cleanup(s.Stop)
	s.run(tb)
	return s
}

func (s *Server) run(tb testing.TB) {
	tb.Helper()
	ns, err := server.NewServer(s.opts.Clone())
	if err != nil {
		tb.Fatalf("configure broker: %v", err)
	}
	s.ns = ns
	go ns.Start()
	if !ns.ReadyForConnections(patience) {
		tb.Fatal("broker did not start")
	}
	// The next start has the same address, as its clients expect.
	if s.opts.Port == server.RANDOM_PORT {
		addr, ok := ns.Addr().(*net.TCPAddr)
		if !ok {
			tb.Fatalf("broker listens on %v, want TCP", ns.Addr())
		}
		s.opts.Port = addr.Port
	}
}

// ClientURL is where clients connect, the same after Restart.
func (s *Server) ClientURL() string { return s.ns.ClientURL() }

// Stop ends the server without a farewell to its clients. It may be called
// twice.
func (s *Server) Stop() {
	if s.ns == nil {
		return
	}
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

// Resume starts a stopped server again on the same port and store.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	s.run(tb)
}

// Restart stops the server and starts it again on the same port and store.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Stop()
	s.Resume(tb)
}
