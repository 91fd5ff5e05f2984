package layer

import (
	"os"
	"syscall"
)

// large asks for large pages where a part of mapped memory will be written to
// as a whole: one fault each instead of 512. No page reaches out of the part.
func large(region []byte, from, to int64) {
	page := int64(os.Getpagesize())
	from = (from + page - 1) / page * page
	if to > from {
		_ = syscall.Madvise(region[from:to], syscall.MADV_HUGEPAGE) // a kernel without them has small ones
	}
}
