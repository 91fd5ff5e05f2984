package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

const (
	// startTimeout is far above what an empty redis-server needs.
	startTimeout = 10 * time.Second
	stopTimeout  = 3 * time.Second
	// maxSocketPath is what a Unix socket's address holds.
	maxSocketPath = 100
)

// openChild runs a redis-server without persistence on a private socket. It
// ends with this process, however that ends.
func openChild(ctx context.Context, path string, o Options) (*Store, error) {
	dir, err := socketDir(o.DataDir)
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "redis.sock")

	server := program{path: path, dir: dir, socket: socket, log: o.Log}
	first, err := server.start(ctx)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := newClient(&redis.Options{
		Network: "unix", Addr: socket,
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	})
	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	go func() { // ends with wait
		select {
		case <-first.ended:
			cancel()
		case <-wait.Done():
		}
	}()
	if err := awaitAnswer(wait, c, zap.NewNop()); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", path, err), c.Close(), first.stop(), os.RemoveAll(dir))
	}
	stop := server.keep(ctx, first)
	return &Store{
		Client:      c,
		Description: "redis-server of our own (" + path + ") on " + socket + ", rebuilt at each start",
		close:       func() error { return errors.Join(c.Close(), stop(), os.RemoveAll(dir)) },
	}, nil
}

// socketDir makes a directory only this user may enter; under the data
// directory unless that has too long a name for a socket.
func socketDir(data string) (string, error) {
	if data == "" || len(data) > maxSocketPath-len("/redis-0123456789/redis.sock") {
		data = os.TempDir()
	} else if err := os.MkdirAll(data, 0o700); err != nil {
		return "", fmt.Errorf("make data directory: %w", err)
	}
	dir, err := os.MkdirTemp(data, "redis-")
	if err != nil {
		return "", fmt.Errorf("make socket directory: %w", err)
	}
	return dir, nil
}

// child is a redis-server process.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone
	err   error         // how it ended, once it has
}

// program is how a redis-server is run.
type program struct {
	path, dir, socket string
	log               *zap.Logger
}

func (p program) start(ctx context.Context) (*child, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.path, "-") //nolint:gosec // what PATH names redis-server
	cmd.Dir = p.dir
	cmd.Stdin = strings.NewReader(strings.Join([]string{
		"port 0", "unixsocket " + p.socket, "unixsocketperm 600", "save \"\"", "appendonly no",
		"daemonize no", "dir " + p.dir, "loglevel warning", "maxmemory-policy noeviction", "",
	}, "\n"))
	endWithParent(cmd)
	c := &child{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel ends the child when the thread that started it ends: this
		// goroutine keeps that thread for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.path, err)
	}
	return c, nil
}

// stop asks the child to end, and makes it end when it does not.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(os.Interrupt) // it may have ended in this moment
	select {
	case <-c.ended:
		return nil
	case <-time.After(stopTimeout):
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end redis-server: %w", err)
	}
	<-c.ended
	return nil
}
