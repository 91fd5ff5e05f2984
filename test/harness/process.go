package harness

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// stopLimit is how long a process may take to end after SIGTERM. The services
// promise less.
const stopLimit = 30 * time.Second

// Command says what to run.
type Command struct {
	Path string   // of the binary
	Args []string // without the binary's name
	Env  []string // KEY=value, on top of the test's own environment less LANDWAITER_*
	Dir  string   // blank: the test's own
}

// Process is a running child process. It is killed when its test ends, and
// its last output is logged when the test has failed.
type Process struct {
	name   string
	cmd    *exec.Cmd
	stdout output
	stderr output
	done   chan struct{}
	err    error // valid when done is closed
}

// Start runs a command in the background.
func Start(tb testing.TB, c Command) *Process {
	tb.Helper()
	p := &Process{name: filepath.Base(c.Path), done: make(chan struct{})}
	p.cmd = c.build(context.Background())
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	tb.Cleanup(func() {
		p.Kill()
		if tb.Failed() {
			tb.Logf("%s %v wrote at last:\n%s\n%s", p.name, c.Args, tail(p.Stdout(), 20), tail(p.Stderr(), 40))
		}
	})
	return p
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the process ended, nil for exit code 0. It waits for the end.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Stdout is what the process has written to its standard output so far.
func (p *Process) Stdout() string { return p.stdout.String() }

// Stderr is what the process has written to its standard error so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// PID is the process id, for a look into /proc.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal, such as SIGSTOP; a process that has ended is no error.
func (p *Process) Signal(tb testing.TB, s os.Signal) {
	tb.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tb.Fatalf("signal %s: %v", p.name, err)
	}
}

// Kill ends the process as a power cut would (SIGKILL) and waits for the end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// Stop asks the process to end (SIGTERM) and fails the test when it does not
// end by itself, with exit code 0, within 30 seconds.
func (p *Process) Stop(tb testing.TB) {
	tb.Helper()
	p.Signal(tb, syscall.SIGTERM)
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-p.done:
		if p.err != nil {
			tb.Errorf("%s after SIGTERM: %v", p.name, p.err)
		}
	case <-timer.C:
		tb.Errorf("%s runs %v after SIGTERM", p.name, stopLimit)
		p.Kill()
	}
}

// Result is what a finished command left.
type Result struct {
	Stdout, Stderr string
	Code           int // exit code; -1: ended by a signal
}

// Run runs a command to its end. The context bounds it.
func Run(ctx context.Context, tb testing.TB, c Command) Result {
	tb.Helper()
	cmd := c.build(ctx)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatalf("run %s: %v", c.Path, err)
	}
	if ctx.Err() != nil {
		tb.Fatalf("run %s %v: %v\n%s", c.Path, c.Args, ctx.Err(), tail(stderr.String(), 40))
	}
	return Result{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
}

func (c Command) build(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(foreign(os.Environ()), c.Env...)
	// Nothing may outlive a test binary that was killed at its time limit.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}
