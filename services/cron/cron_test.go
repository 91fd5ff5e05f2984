package cron

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/bus"
)

// Three whole services with one configuration file, a day passing on their
// clock.
func TestRun(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "landwaiter.yaml")
	text := "registries:\n  - name: local\n    address: 127.0.0.1:5000\nrules:\n  - name: r\n    registry: local\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var now atomic.Int64
	now.Store(noon().Unix())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	const replicas = 3
	for range replicas {
		cfg := Config{
			Bus:  bus.Options{URL: r.url, Service: "cron", Log: r.log()},
			File: file, Interval: 5 * time.Millisecond,
			Now: func() time.Time { return time.Unix(now.Load(), 0) },
		}
		go func() { ended <- Run(ctx, cfg, r.log()) }()
	}
	r.until(func() bool { return len(r.sweeps()) == 1 })
	now.Add(int64(day / time.Second))
	r.until(func() bool { return len(r.sweeps()) == 2 })
	cancel()
	for range replicas {
		if err := <-ended; err != nil {
			t.Errorf("service ended: %v", err)
		}
	}
	r.want(days(0, 1))
}

// until asks again and again.
func (r *rig) until(ok func() bool) {
	r.t.Helper()
	limit, again := time.NewTimer(patience), time.NewTicker(10*time.Millisecond)
	defer limit.Stop()
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-limit.C:
			r.t.Fatalf("not within %s", patience)
		}
	}
}
