package feed

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"
)

// unpackedMost bounds what a zip may hold, unpacked.
const unpackedMost = 64 << 30

// verifyZip reads all of a zip, which compares every entry with its checksum:
// a file that was put together from pieces is what it should be, or refused.
func verifyZip(ctx context.Context, path string) (err error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("verify zip: %w", err)
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	archive.RegisterDecompressor(zip.Deflate, flate.NewReader)
	left := int64(unpackedMost)
	for _, f := range archive.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := drain(f, left)
		if err != nil {
			return fmt.Errorf("verify zip: %s: %w", f.Name, err)
		}
		if left -= n; left <= 0 {
			return fmt.Errorf("verify zip: %w: more than %d bytes unpacked", errTooLarge, int64(unpackedMost))
		}
	}
	return nil
}

func drain(f *zip.File, most int64) (int64, error) {
	r, err := f.Open()
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r, most))
	return n, errors.Join(err, r.Close())
}

// addToZip puts records into a zip, in place of those of the same ids.
func addToZip(path string, records map[string][]byte) (err error) {
	fresh, err := os.Create(path + ".new") //nolint:gosec // a file of this package's folder
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.Rename(path+".new", path)
		}
	}()
	defer func() { err = errors.Join(err, fresh.Close()) }()
	out := zip.NewWriter(fresh)
	for _, id := range slices.Sorted(maps.Keys(records)) {
		w, err := out.Create(id + ".json")
		if err == nil {
			_, err = w.Write(records[id])
		}
		if err != nil {
			return err
		}
	}
	if err := keepOthers(out, path, records); err != nil {
		return err
	}
	return errors.Join(out.Close(), fresh.Sync())
}

// keepOthers copies what a zip holds of other ids.
func keepOthers(out *zip.Writer, path string, records map[string][]byte) (err error) {
	before, err := zip.OpenReader(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, before.Close()) }()
	for _, f := range before.File {
		if _, replaced := records[strings.TrimSuffix(f.Name, ".json")]; !replaced {
			if err := out.Copy(f); err != nil {
				return err
			}
		}
	}
	return nil
}
