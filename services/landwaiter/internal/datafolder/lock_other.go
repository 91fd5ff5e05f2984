//go:build !unix

package datafolder

import (
	"errors"
	"os"
)

// lock refuses: without a lock two processes could destroy the data.
func lock(*os.File) error {
	return errors.New("this system has no file locks that end with a process; run the services against a NATS server instead")
}
