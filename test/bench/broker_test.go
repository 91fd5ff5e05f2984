package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/landwaiter/landwaiter/test/harness"
)

const roleBroker = "broker"

// soon is generous: the machine may be busy.
const soon = 2 * time.Minute

// broker runs a server and prints its address. It has on its disk what it
// confirms, as the one in `landwaiter up` does, unless it is to sync now and
// then only, which is a server's default.
func broker(dir string, always bool, out io.Writer) error {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, SyncAlways: always, NoLog: true,
	})
	if err != nil {
		return fmt.Errorf("make broker: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(soon) {
		return errors.New("the broker does not start")
	}
	if _, err := fmt.Fprintln(out, s.ClientURL()); err != nil {
		return fmt.Errorf("tell address: %w", err)
	}
	s.WaitForShutdown()
	return nil
}

// startBroker returns a new, empty broker and its address.
func startBroker(b *testing.B, flags ...string) (*harness.Process, string) {
	b.Helper()
	return announced(b, harness.Command{Path: self(b), Args: append([]string{b.TempDir()}, flags...), Env: []string{envRole + "=" + roleBroker}})
}

// announced starts a process that prints its address.
func announced(b *testing.B, c harness.Command) (*harness.Process, string) {
	b.Helper()
	p := harness.Start(b, c)
	harness.WaitFor(b, soon, "the address of a process", func(context.Context) error {
		if !strings.HasSuffix(p.Stdout(), "\n") {
			return errors.New("not printed")
		}
		return nil
	}, p)
	return p, strings.TrimSpace(p.Stdout())
}
