// Package limit reads what comes from outside up to a limit. More than that is
// an error, never a cut: half a document may mean another one.
package limit

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrTooLong is the error for more than was allowed.
var ErrTooLong = errors.New("too long")

// ReadAll reads r to its end, which comes after most bytes at the latest.
func ReadAll(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLong, most)
	}
	return b, nil
}

// ReadFile reads a file of at most most bytes.
func ReadFile(path string, most int64) (b []byte, err error) {
	f, err := os.Open(path) //nolint:gosec // the caller answers for where it may lie
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if b, err = ReadAll(f, most); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}
