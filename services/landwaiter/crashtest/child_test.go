package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	token      = "crash-suite-admin-token"
	hookSecret = "crash-suite-hook-secret-0123456789"
	limit      = 90 * time.Second // for one step: the machine may be busy
)

// child is the pipeline under test. It is started again whenever it was killed
// at its failpoint.
type child struct {
	t          *testing.T
	failpoint  string // blank once it has fired
	config     string
	data       string
	advisories string
	console    string // base URL
	hooks      string // base URL
	cmd        *exec.Cmd
	done       chan struct{}
	output     *output
	fired      bool
}

func newChild(t *testing.T, failpoint, config, advisories string) *child {
	t.Helper()
	c := &child{
		t: t, failpoint: failpoint, data: t.TempDir(), advisories: advisories, output: &output{},
		config: filepath.Join(t.TempDir(), "landwaiter.yaml"), console: "http://" + free(t), hooks: "http://" + free(t),
	}
	if err := os.WriteFile(c.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c.start()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.done
		if t.Failed() {
			t.Logf("the pipeline wrote at last:\n%s", c.output.tail())
		}
	})
	return c
}

func (c *child) start() {
	c.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	c.cmd = exec.Command(self, "up", "--config", c.config, "--data", c.data, "--advisories", c.advisories,
		"--http", c.console[len("http://"):], "--ingest", c.hooks[len("http://"):])
	c.cmd.Env = []string{
		envChild + "=1", "HOME=" + c.data, "TMPDIR=" + os.TempDir(),
		"LANDWAITER_ADMIN_TOKEN=" + token, "HOOK_SECRET=" + hookSecret, "LANDWAITER_LOG_LEVEL=info",
		"LANDWAITER_LEASE=2s", "LANDWAITER_RETRY=50ms", "LANDWAITER_KEEPER_EVERY=300ms", "LANDWAITER_CHECK_EVERY=600ms",
		"LANDWAITER_COLLECT_EVERY=4s", "LANDWAITER_JOB_RETENTION=10s", "LANDWAITER_JOB_DEADLINE=20s", "LANDWAITER_CRON_INTERVAL=200ms",
		"LANDWAITER_ADVISORIES_EVERY=300ms",
	}
	if c.failpoint != "" {
		c.cmd.Env = append(c.cmd.Env, "LANDWAITER_FAILPOINT="+c.failpoint)
	}
	c.cmd.Stdout, c.cmd.Stderr = c.output, c.output
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	done, cmd := make(chan struct{}), c.cmd
	c.done = done
	go func() { _ = cmd.Wait(); close(done) }()
}

// alive starts the pipeline again if its failpoint killed it. Any other end is
// a failure.
func (c *child) alive() {
	c.t.Helper()
	select {
	case <-c.done:
	default:
		return
	}
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if c.failpoint == "" || !ok || status.Signal() != syscall.SIGKILL {
		c.t.Fatalf("the pipeline ended by itself: %v", c.cmd.ProcessState)
	}
	c.failpoint, c.fired = "", true
	c.start()
}

// until does something again and again until it works, whatever becomes of the
// pipeline meanwhile.
func (c *child) until(what string, do func(ctx context.Context) error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		c.alive()
		err := do(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			// What it is doing now tells more than its log.
			_ = c.cmd.Process.Signal(syscall.SIGQUIT)
			<-c.done
			c.t.Fatalf("%s: %v", what, last)
		case <-tick.C:
		}
	}
}

// reached waits for the failpoint to have fired.
func (c *child) reached() {
	c.t.Helper()
	if c.failpoint == "" {
		return
	}
	c.until("failpoint "+c.failpoint+" was never reached", func(context.Context) error {
		if !c.fired {
			return errors.New("the pipeline was not killed")
		}
		return nil
	})
}

// free is an address nobody listens on, below the ports that the system gives
// to outgoing connections: the pipeline comes back to it after each crash.
func free(t *testing.T) string {
	t.Helper()
	for {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000)))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }()
		return l.Addr().String()
	}
}

// output keeps what the process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) tail() string {
	const most = 128 << 10
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.buf.Bytes()
	return string(b[max(0, len(b)-most):])
}

// client does not keep connections to a process that dies.
func client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

func status(res *http.Response) error {
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", res.Request.URL.Path, res.Status)
	}
	return nil
}
