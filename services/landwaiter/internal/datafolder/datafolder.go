// Package datafolder is the folder in which an installation in one process
// keeps what must outlive it. One process at a time may use it: two brokers
// over the same files would both serve, and both write.
package datafolder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lockFile is held while a process uses the folder; it holds that process's id.
const lockFile = "landwaiter.lock"

// Default is where the folder lies when nobody says: as the XDG base directory
// specification has it. Blank where there is no home either.
func Default(getenv func(string) string) string {
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "landwaiter")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "share", "landwaiter")
	}
	if dir := getenv("LOCALAPPDATA"); dir != "" {
		return filepath.Join(dir, "landwaiter")
	}
	return ""
}

// Folder is the folder, held by this process.
type Folder struct {
	path string
	lock *os.File
}

// ErrInUse is the error for a folder that another process holds.
var ErrInUse = errors.New("in use")

// Open makes the folder, for its owner alone, and takes it. Another process
// that has it is named in the error, which is then ErrInUse.
func Open(path string) (*Folder, error) {
	if path == "" {
		return nil, errors.New("data folder: no home folder to put it in; name one with --data or LANDWAITER_DATA")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w; name another with --data", err)
	}
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // a fixed name in the folder asked for
	if err != nil {
		return nil, fmt.Errorf("data folder: %w; name another with --data", err)
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(taken(path, f, err), f.Close())
	}
	if err := sign(f); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", path, err), f.Close())
	}
	return &Folder{path: path, lock: f}, nil
}

// Path is the absolute path of what lies under names in the folder.
func (f *Folder) Path(names ...string) string {
	return filepath.Join(append([]string{f.path}, names...)...)
}

// Clear removes what a process that was killed left behind under a pattern, as
// filepath.Match has it. Nobody else uses the folder: it is locked.
func (f *Folder) Clear(pattern string) error {
	paths, err := filepath.Glob(f.Path(pattern))
	if err != nil {
		return fmt.Errorf("clear data folder: %w", err)
	}
	var errs []error
	for _, p := range paths {
		if err := os.RemoveAll(p); err != nil {
			errs = append(errs, fmt.Errorf("clear data folder: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Close gives the folder up. The file stays: removing it would let two
// processes hold two files of the same name.
func (f *Folder) Close() error { return f.lock.Close() }

func taken(path string, f *os.File, cause error) error {
	if !errors.Is(cause, ErrInUse) {
		return fmt.Errorf("lock data folder %s: %w", path, cause)
	}
	const most = 32
	by := "another process"
	if raw, err := io.ReadAll(io.LimitReader(f, most)); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(raw))); err == nil {
			by = "process " + strconv.Itoa(pid)
		}
	}
	return fmt.Errorf("data folder %s is %w by %s: stop that one, or name another folder with --data", path, cause, by)
}

// sign writes who holds the lock, for the message another process prints.
func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
