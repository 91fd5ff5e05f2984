package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	failure := errors.New("refused")
	later := Later(7*time.Second, failure)
	dead := DeadLetter(failure)
	const hour = time.Hour
	tests := []struct {
		name      string
		err       error
		delivered uint64
		age, most time.Duration
		stopping  bool
		want      action
		pause     time.Duration
	}{
		{"done", nil, 1, 0, 0, false, acknowledge, 0},
		{"done while stopping", nil, 1, 0, 0, true, acknowledge, 0},
		{"done though old", nil, 9, 2 * hour, hour, false, acknowledge, 0},
		{"dead", dead, 1, 0, 0, false, bury, 0},
		{"dead, wrapped", fmt.Errorf("plan: %w", dead), 1, 0, 0, false, bury, 0},
		{"dead while stopping", dead, 1, 0, 0, true, bury, 0},
		{"dead beats later", DeadLetter(later), 1, 0, 0, false, bury, 0},
		{"later", later, 5, 0, 0, false, again, 7 * time.Second},
		{"later is not too old", later, 5, 2 * hour, hour, false, again, 7 * time.Second},
		{"later while stopping", later, 5, 0, 0, true, again, 7 * time.Second},
		{"failure", failure, 1, 0, 0, false, again, time.Second},
		{"third failure", failure, 3, 0, 0, false, again, 4 * time.Second},
		{"failure at the limit", failure, 1, hour, hour, false, again, time.Second},
		{"failure past the limit", failure, 1, hour + 1, hour, false, bury, 0},
		{"failure without limit", failure, 1, 1000 * hour, 0, false, again, time.Second},
		{"failure while stopping", failure, 4, 0, 0, true, again, 0},
		{"old failure while stopping", failure, 4, 2 * hour, hour, true, again, 0},
		{"cancelled while stopping", context.Canceled, 4, 0, 0, true, again, 0},
		{"cancelled by itself", context.Canceled, 1, 0, 0, false, again, time.Second},
	}
	for _, tt := range tests {
		got, pause := decide(tt.err, tt.delivered, tt.age, tt.most, tt.stopping)
		if got != tt.want || pause != tt.pause {
			t.Errorf("%s: action %d in %s, want %d in %s", tt.name, got, pause, tt.want, tt.pause)
		}
	}
}

func TestBackoffDoublesUpToItsBound(t *testing.T) {
	t.Parallel()
	want := map[uint64]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second,
		10: 5 * time.Minute, 11: 5 * time.Minute, 64: 5 * time.Minute, 1 << 63: 5 * time.Minute,
	}
	for delivered, pause := range want {
		if got := backoff(delivered); got != pause {
			t.Errorf("backoff(%d) = %s, want %s", delivered, got, pause)
		}
	}
	for n := uint64(1); n < 100; n++ {
		if backoff(n) > backoff(n+1) {
			t.Errorf("backoff falls from delivery %d to the next", n)
		}
	}
}

func TestOneLineFitsAHeader(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"", ""},
		{"a\r\nX-Injected: b\t\x00", "a  X-Injected: b  "},
		{"é\xff", "é�"},
		{strings.Repeat("ü", 2000), strings.Repeat("ü", 1024)},
	}
	for _, tt := range tests {
		if got := oneLine(tt.in); got != tt.want {
			t.Errorf("oneLine(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestComplaintIsRepeatedByTheMinute(t *testing.T) {
	t.Parallel()
	var c complaint
	now := time.Unix(0, 0)
	steps := []struct {
		after time.Duration
		err   string
		want  bool
	}{
		{0, "gone", true},
		{time.Second, "gone", false},
		{time.Second, "refused", true},
		{58 * time.Second, "refused", false},
		{3 * time.Second, "refused", true},
		{time.Second, "refused", false},
	}
	for n, s := range steps {
		now = now.Add(s.after)
		if got := c.due(errors.New(s.err), now); got != s.want {
			t.Errorf("step %d: due = %t, want %t", n, got, s.want)
		}
	}
}
