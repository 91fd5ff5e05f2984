package app

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestGroup(t *testing.T) {
	untilEnd := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	broken := errors.New("broken")
	t.Run("one fails, all stop", func(t *testing.T) {
		err := Group(t.Context(),
			Part{"waits", untilEnd},
			Part{"fails", func(context.Context) error { return broken }},
			Part{"fails on the way out", func(ctx context.Context) error { <-ctx.Done(); return errors.New("not flushed") }})
		if !errors.Is(err, broken) {
			t.Errorf("error %v does not hold the first", err)
		}
		for _, text := range []string{"fails: broken", "fails on the way out: not flushed"} {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("error %q does not hold %q", err, text)
			}
		}
		if err != nil && strings.Contains(err.Error(), "waits") {
			t.Errorf("error %q blames the part that only stopped", err)
		}
	})
	t.Run("the end of the context is no error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Group(ctx, Part{"waits", untilEnd}); err != nil {
			t.Errorf("error %v", err)
		}
	})
	t.Run("one that is done stops nobody", func(t *testing.T) {
		done := make(chan struct{})
		err := Group(t.Context(),
			Part{"short", func(context.Context) error { close(done); return nil }},
			Part{"long", func(ctx context.Context) error { <-done; return ctx.Err() }})
		if err != nil {
			t.Errorf("error %v", err)
		}
	})
}
