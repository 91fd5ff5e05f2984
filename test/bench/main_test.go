// Package bench measures whole processes from outside: what a scan, a webhook
// and an idle installation cost, each beside the least that could do the same
// on the same machine in the same minute. Nothing here fails because something
// was slow.
package bench

import (
	"fmt"
	"os"
	"testing"
)

// envRole makes this binary one of the processes that the project's own are
// compared with.
const envRole = "LANDWAITER_BENCH_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(envRole); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // a main
		}
		return
	}
	begun := loadAverage()
	code := m.Run()
	results.print(os.Stdout, begun)
	os.Exit(code) //nolint:forbidigo // a main
}

func play(role string) error {
	switch role {
	case roleFloor:
		return floor(os.Args[1:], os.Stdout)
	case roleAsk:
		return ask(os.Args[1], os.Stdout)
	case roleBare:
		return bare(os.Args[1:], os.Stdout)
	case roleBroker:
		return broker(os.Args[1], len(os.Args) == 2, os.Stdout)
	default:
		return fmt.Errorf("no role %q", role)
	}
}
