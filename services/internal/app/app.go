// Package app is what the service binaries share: how they start and stop, how
// they are told things by environment variables, their health and metrics, and
// how a configuration file becomes state.
package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"
)

// Env is the world around a service.
type Env struct {
	Getenv  func(string) string
	Environ func() []string // as os.Environ; nil: unknown variables are not looked for
	Log     *zap.Logger
	Args    []string // without the program's name
	Stdout  io.Writer
}

// Main runs a service and returns the process's exit code. SIGINT and SIGTERM
// end run's context; a second one ends the process at once. With the one
// argument "health" it asks the service that runs beside it, at
// LANDWAITER_ADMIN, whether it is ready, for a container's health check.
func Main(name string, run func(ctx context.Context, env Env) error) int {
	log, err := Logger(name, os.Getenv("LANDWAITER_LOG_LEVEL"), os.Stderr)
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// Once the first signal is taken the default is restored: the next one kills.
	context.AfterFunc(ctx, stop)
	defer stop()
	return exitCode(ctx, Env{
		Getenv: os.Getenv, Environ: os.Environ, Log: log, Args: os.Args[1:], Stdout: os.Stdout,
	}, run)
}

// Service puts a service's two functions together for Main.
func Service[C any](read func(Env) (C, error), run func(context.Context, C, *zap.Logger) error) func(context.Context, Env) error {
	return func(ctx context.Context, env Env) error {
		cfg, err := read(env)
		if err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		return run(ctx, cfg, env.Log)
	}
}

func exitCode(ctx context.Context, env Env, run func(context.Context, Env) error) int {
	switch {
	case len(env.Args) == 0:
	case len(env.Args) == 1 && env.Args[0] == "health":
		run = Health
	default:
		env.Log.Error("arguments not understood; a service takes none but health", zap.Strings("args", env.Args))
		return 2
	}
	if err := run(ctx, env); err != nil {
		env.Log.Error("service ended", zap.Error(err))
		return 1
	}
	return 0
}
