// Package landwaiter is the command users run: it starts everything in one
// process, scans images by itself, and asks a pipeline that runs.
package landwaiter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/term"
)

// The exit codes.
const (
	exitFine     = 0
	exitFailed   = 1 // also: a command line that is not understood
	exitFindings = 2 // --fail-on: a finding at or above the severity
	exitUnknown  = 3 // --fail-on: no such finding, but not all could be known
)

// Env is the world around the command.
type Env struct {
	Program  string   // as it was called
	Args     []string // without the program
	Getenv   func(string) string
	Environ  func() []string
	Stdin    io.Reader
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal bool // whether somebody watches Stdout
}

// Main runs the command this process was called with and returns its exit
// code. SIGINT and SIGTERM end what runs; a second one ends the process at
// once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// Once the first signal is taken the default is restored: the next one kills.
	context.AfterFunc(ctx, stop)
	defer stop()
	return Run(ctx, Env{
		Program: program(os.Args), Args: os.Args[1:], Getenv: os.Getenv, Environ: os.Environ,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal: term.IsTerminal(int(os.Stdout.Fd())),
	})
}

// program is the command as it can be typed again.
func program(args []string) string {
	if len(args) == 0 || filepath.IsAbs(args[0]) {
		return "landwaiter"
	}
	return args[0]
}

// exit is an outcome that has been told already and has a code of its own.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// Run runs one command and returns its exit code.
func Run(ctx context.Context, env Env) int {
	root := rootCommand(env) //nolint:contextcheck // the commands take the context that is given to ExecuteContext
	root.SetArgs(env.Args)
	err := root.ExecuteContext(ctx)
	var e exit
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &e):
		return e.code
	default:
		_, _ = fmt.Fprintf(env.Stderr, "landwaiter: %v\n", err)
		return exitFailed
	}
}
