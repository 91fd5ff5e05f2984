package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// pollEvery is short against everything that is waited for, and long against
// what one look costs.
const pollEvery = 50 * time.Millisecond

// Alive is something that should still run while it is waited for what it
// does. [Process], [Registry] and [Redis] are.
type Alive interface {
	Done() <-chan struct{} // closed at the end
	Err() error            // how it ended
	Stderr() string
}

// WaitFor looks again and again until condition returns nil. It ends the test
// when the limit is over, with the condition's last error, or as soon as one
// of those that should run has ended.
func WaitFor(tb testing.TB, limit time.Duration, what string, condition func(ctx context.Context) error, running ...Alive) {
	tb.Helper()
	if err := Wait(tb.Context(), limit, condition, running...); err != nil {
		tb.Fatalf("waiting for %s: %v", what, err)
	}
}

// Wait is [WaitFor] for those who want to go on after a failure.
func Wait(ctx context.Context, limit time.Duration, condition func(ctx context.Context) error, running ...Alive) error {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	last := errors.New("not looked at")
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil { // else it only tells that the time is over
			last = err
		}
		if err := ended(running); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", time.Since(begun).Round(time.Millisecond), last)
		case <-ticker.C:
		}
	}
}

func ended(running []Alive) error {
	for _, r := range running {
		select {
		case <-r.Done():
			return fmt.Errorf("ended too early (%w):\n%s", orNil(r.Err()), tail(r.Stderr(), 40))
		default:
		}
	}
	return nil
}

var errExit0 = errors.New("exit code 0")

func orNil(err error) error {
	if err == nil {
		return errExit0
	}
	return err
}

// Answers is a condition for [WaitFor]: a GET of the URL gives a 2xx.
func Answers(url string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return fmt.Errorf("request %s: %w", url, err)
		}
		client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("get %s: %w", url, err)
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode/100 != 2 {
			body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10)) // only for the message
			return fmt.Errorf("get %s: %s %s", url, res.Status, body)
		}
		return nil
	}
}
