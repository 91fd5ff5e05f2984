package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/test/harness"
)

// usage is what a process has taken so far.
type usage struct {
	CPU      time.Duration // user and system, in steps of 10 ms
	Peak     int64         // bytes resident at most, since the process began
	Resident int64         // bytes resident now
	Written  int64         // bytes given to the disk
}

// tick is what /proc counts processor time in, whatever the kernel's own clock.
const tick = 10 * time.Millisecond

// of reads /proc: the peak that wait4 tells holds the parent's own.
func usageOf(pid string) (usage, error) {
	var u usage
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return u, fmt.Errorf("processor time: %w", err)
	}
	// The program's name, in parentheses, may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const user, system = 11, 12
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return u, fmt.Errorf("processor time: %w", err)
		}
		u.CPU += time.Duration(n) * tick
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return u, fmt.Errorf("memory: %w", err)
	}
	u.Peak, u.Resident = number(status, "VmHWM:")<<10, number(status, "VmRSS:")<<10
	written, err := os.ReadFile("/proc/" + pid + "/io")
	if err != nil {
		return u, fmt.Errorf("writes: %w", err)
	}
	u.Written = number(written, "write_bytes:")
	return u, nil
}

// number is the number after a name at the beginning of a line, 0 for none.
func number(text []byte, name string) int64 {
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err == nil {
			return n
		}
	}
	return 0
}

func takenBy(b *testing.B, p *harness.Process) usage {
	b.Helper()
	u, err := usageOf(strconv.Itoa(p.PID()))
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// children are the processes that one has started.
func children(b *testing.B, p *harness.Process) []string {
	b.Helper()
	pid := strconv.Itoa(p.PID())
	tasks, err := os.ReadDir("/proc/" + pid + "/task")
	if err != nil {
		b.Fatal(err)
	}
	var all []string
	for _, task := range tasks {
		raw, err := os.ReadFile("/proc/" + pid + "/task/" + task.Name() + "/children")
		if err == nil { // a thread may have ended
			all = append(all, strings.Fields(string(raw))...)
		}
	}
	return all
}

// quiet waits until a process has done next to nothing for half a second.
func quiet(b *testing.B, p *harness.Process) {
	b.Helper()
	last, since := takenBy(b, p).CPU, time.Now()
	harness.WaitFor(b, soon, "a quiet process", func(context.Context) error {
		if now := takenBy(b, p).CPU; now > last+tick {
			last, since = now, time.Now()
		}
		if time.Since(since) < 500*time.Millisecond {
			return errors.New("it works")
		}
		return nil
	}, p)
}
