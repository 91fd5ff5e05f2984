package harness

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestWaitSeesEarlyExit(t *testing.T) {
	p := Start(t, Command{Path: "/bin/sh", Args: []string{"-c", "echo no such file >&2; exit 3"}})
	never := func(context.Context) error { return errors.New("not there") }
	begun := time.Now()
	err := Wait(t.Context(), time.Minute, never, p)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v, want the exit status and the output", err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("noticed after %v", took)
	}
}

func TestWaitTellsTheLastReason(t *testing.T) {
	never := func(context.Context) error { return errors.New("not there") }
	err := Wait(t.Context(), 120*time.Millisecond, never)
	if err == nil || !strings.Contains(err.Error(), "not there") {
		t.Errorf("got %v, want the condition's error", err)
	}
}

func TestProcessKnowsNothingOfTheDevelopersSettings(t *testing.T) {
	t.Setenv("LANDWAITER_NATS", "nats://elsewhere")
	got := Run(t.Context(), t, Command{
		Path: "/bin/sh", Args: []string{"-c", `echo "$LANDWAITER_NATS$LANDWAITER_HTTP"; exit 4`},
		Env: []string{"LANDWAITER_HTTP=given"},
	})
	if got.Stdout != "given\n" || got.Code != 4 {
		t.Errorf("got %q, exit code %d, want \"given\", exit code 4", got.Stdout, got.Code)
	}
}
