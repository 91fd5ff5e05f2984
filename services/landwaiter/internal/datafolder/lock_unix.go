//go:build unix

package datafolder

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the file for as long as it is open: the kernel gives it up when
// the process ends, however that ends.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}
