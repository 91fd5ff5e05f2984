//go:build linux || darwin

package broker

import "syscall"

// free is what this user may still write to the disk that dir lies on.
func free(dir string) (bytes int64, known bool, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false, err
	}
	return int64(s.Bavail) * int64(s.Bsize), true, nil //nolint:gosec,unconvert // the types differ between systems
}
