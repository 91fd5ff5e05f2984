package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is Debian's redis-server on a loopback port, without persistence.
type Redis struct {
	*Process
	Address string // host:port
	URL     string // redis://host:port/0
}

// StartRedis starts a server and returns when it answers.
func StartRedis(tb testing.TB) *Redis {
	tb.Helper()
	program := installed(tb, "redis-server", "redis-server")
	dir := tb.TempDir()
	var err error
	// Redis cannot choose a free port itself, so a taken one costs another try.
	for range 10 {
		port := strconv.Itoa(20000 + rand.IntN(20000))
		r := &Redis{Address: net.JoinHostPort("127.0.0.1", port)}
		r.URL = "redis://" + r.Address + "/0"
		r.Process = Start(tb, Command{
			Path: program,
			Args: []string{
				"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no",
				"--daemonize", "no",
			},
		})
		if err = Wait(tb.Context(), 10*time.Second, r.mine, r); err == nil {
			return r
		}
		r.Kill()
	}
	tb.Fatalf("start redis-server: %v", err)
	return nil
}

// Client is a connection to the server, closed with the test.
func (r *Redis) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: r.Address})
	tb.Cleanup(func() { _ = client.Close() }) // nothing is left to lose
	return client
}

// mine is nil when the server that answers is the process that was started,
// and not another one on the same port.
func (r *Redis) mine(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: r.Address, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	info, err := client.InfoMap(ctx, "server").Result()
	if err != nil {
		return fmt.Errorf("ask redis-server: %w", err)
	}
	if pid := info["Server"]["process_id"]; pid != strconv.Itoa(r.PID()) {
		return fmt.Errorf("process %s answers on %s", pid, r.Address)
	}
	return nil
}
