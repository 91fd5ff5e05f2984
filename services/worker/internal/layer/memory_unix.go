//go:build unix

package layer

import (
	"fmt"
	"syscall"
)

// mapped gives memory outside the heap: it takes room only as it is written to,
// and gives it back at once. All of it is zero.
func mapped(size int64) (region []byte, release func(), err error) {
	region, err = syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("map %d bytes of memory: %w", size, err)
	}
	return region, func() { _ = syscall.Munmap(region) }, nil // cannot fail for what was mapped
}
