package hook

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/limit"
)

// keyFile is the key's name in the data folder.
const keyFile = "webhook.key"

// LoadKey returns the configured key, or where there is none the one in the
// data folder, which is made on first use. The file is its owner's alone.
func LoadKey(dir string, configured config.Secret) (Key, error) {
	if !configured.IsZero() {
		return NewKey(configured)
	}
	if dir == "" {
		return Key{}, errors.New("no webhook key: set one, or a data folder in which to keep one")
	}
	path := filepath.Join(dir, keyFile)
	k, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if err := makeKey(dir, path); err != nil {
		return Key{}, fmt.Errorf("make webhook key: %w", err)
	}
	return readKey(path)
}

func readKey(path string) (Key, error) {
	const most = 4 << 10
	b, err := limit.ReadFile(path, most)
	if err != nil {
		return Key{}, fmt.Errorf("read webhook key: %w", err)
	}
	k, err := NewKey(config.NewSecret(strings.TrimSpace(string(b))))
	if err != nil {
		return Key{}, fmt.Errorf("read webhook key %s: %w", path, err)
	}
	return k, nil
}

// makeKey puts a whole, durable key under path, or none: it is written under
// another name first. Whoever else makes one at the same time wins or loses as
// a whole.
func makeKey(dir, path string) (err error) {
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, keyFile+".*") // exclusive, mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = io.WriteString(f, hex.EncodeToString(random)+"\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the configured data folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
