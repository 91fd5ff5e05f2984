package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// spare is what the broker leaves free of the disk.
	spare = 1 << 30
	// least is what it needs to be of any use.
	least = 256 << 20
)

// room is how many bytes the store may have: what it has, and what is free but
// for the spare. A disk whose free space is unknown sets no bound (0).
func room(dir string) (int64, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("broker's folder: %w", err)
	}
	free, known, err := free(dir)
	if err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	if !known {
		return 0, nil
	}
	have, err := used(dir)
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", dir, err)
	}
	if have+free-spare < least {
		return 0, fmt.Errorf("broker's folder %s: %d MiB are free on its disk, %d are needed: make room, or name another folder with --data",
			dir, free>>20, (spare+least-have)>>20)
	}
	return have + free - spare, nil
}

func used(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}
