// Package crashtest kills a whole pipeline, once before and once after every
// write that others rely on, and looks whether all comes right when it is
// started again.
package crashtest

import (
	"os"
	"testing"

	"github.com/landwaiter/landwaiter/services/landwaiter"
)

// envChild makes the test binary the command itself: the pipeline under test
// is a process of its own, so that it can be killed.
const envChild = "LANDWAITER_CRASHTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		_ = os.Unsetenv(envChild)
		os.Exit(landwaiter.Main()) //nolint:forbidigo // this is the child's main
	}
	os.Exit(m.Run()) //nolint:forbidigo // this is the test binary's main
}
