package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

// scoresMost bounds a file of EPSS scores or of known exploited
// vulnerabilities, packed or not. They have some 10 MB and 1.5 MB.
const scoresMost = 256 << 20

// scores gives a file with what a source of scores last had that could be
// understood; blank: none, or nothing yet. They are an addition: a source that
// fails never keeps advisories from being brought in.
func (f *Feed) scores(ctx context.Context, kind, source string, check func(path string) error) string {
	if source == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(source))
	kept := filepath.Join(f.Dir, "scores", kind+"-"+hex.EncodeToString(sum[:6]))
	if err := f.renewScores(ctx, source, kept, check); err != nil && ctx.Err() == nil {
		f.Outcomes.failed(kind)
		f.Log.Warn("scores not updated, those before stay", zap.String("kind", kind), zap.Error(err))
	}
	if !exists(kept) {
		return ""
	}
	return kept
}

// renewScores replaces the file that is kept when the source has another one
// that can be understood.
func (f *Feed) renewScores(ctx context.Context, source, kept string, check func(path string) error) error {
	if err := os.MkdirAll(filepath.Dir(kept), 0o750); err != nil {
		return err
	}
	fresh := kept + ".new"
	tag, err := f.take(ctx, source, kept, fresh)
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil {
		err = check(fresh)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, kept); err != nil {
		return err
	}
	return writeTag(kept, tag)
}

// take makes fresh what the source has now.
func (f *Feed) take(ctx context.Context, source, kept, fresh string) (tag string, err error) {
	if !Remote(source) {
		return "", copyFile(source, fresh)
	}
	m := newMirror(f.Retry, f.Now)
	defer m.client.CloseIdleConnections()
	return m.download(ctx, download{url: source, to: fresh, tag: readTag(kept), most: scoresMost})
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.Create(to) //nolint:gosec // a file of this package's folder
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, scoresMost+1))
	if err = errors.Join(err, out.Close()); err == nil && n > scoresMost {
		err = fmt.Errorf("%s has more than %d bytes", from, scoresMost)
	}
	return err
}
