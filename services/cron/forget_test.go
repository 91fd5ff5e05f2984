package cron

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// due is nil while the rule has a cursor.
func (r *rig) due() error {
	r.t.Helper()
	_, err := r.store.Dues.Get(r.t.Context(), "r")
	return err
}

// A whole service: the rule is deleted between two periods and made again.
func TestARuleMadeAgainGetsItsBaseline(t *testing.T) {
	r := newRig(t)
	r.remove("r")
	file := filepath.Join(t.TempDir(), "landwaiter.yaml")
	if err := os.WriteFile(file, []byte("defaults: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var now atomic.Int64
	now.Store(noon().Unix())
	cfg := Config{
		Bus: bus.Options{URL: r.url, Service: "cron", Log: r.log()}, File: file, Interval: 5 * time.Millisecond,
		Now: func() time.Time { return time.Unix(now.Load(), 0) },
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Run(ctx, cfg, r.log()) }()
	r.configure("r")
	r.until(func() bool { return len(r.sweeps()) == 1 })
	r.remove("r")
	r.until(func() bool { return errors.Is(r.due(), state.ErrNotFound) })
	now.Add(int64(time.Hour / time.Second))
	r.configure("r")
	r.until(func() bool { return len(r.sweeps()) == 2 })
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("service ended: %v", err)
	}
}

// What a replica's watch has told may be old, both ways.
func TestAReplicaThatHearsLate(t *testing.T) {
	r := newRig(t)
	s := r.replica(nil)
	look(t.Context(), s, every(1), noon())
	s.forget(t.Context(), nil) // it has not heard of the rule
	if err := r.due(); err != nil {
		t.Fatalf("cursor of a rule that is there: %v", err)
	}
	r.remove("r")
	s.forget(t.Context(), nil)
	if err := r.due(); !errors.Is(err, state.ErrNotFound) {
		t.Fatalf("cursor of a deleted rule: %v", err)
	}
	look(t.Context(), s, every(1), noon().Add(time.Hour)) // it has not heard of the end
	if err := r.due(); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("cursor made for a deleted rule: %v", err)
	}
	r.want(days(0))
}
