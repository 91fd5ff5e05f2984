package feed

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// publish stores a database and makes it the current one. The keepers announce
// it when it is in use.
func (f *Feed) publish(ctx context.Context, path string, info advisory.Info, sample bool) error {
	object, err := f.store(ctx, path)
	if err != nil {
		return err
	}
	rec := state.Database{
		Version: info.Version, Object: object, UpdatedAt: info.UpdatedAt, Records: info.Records,
		Skipped: info.SkippedTotal, StoredAt: f.Now(), Sample: sample,
		EPSS: state.FeedCopy(info.EPSS), KEV: state.FeedCopy(info.KEV),
	}
	f.compare(ctx, path, &rec)
	_, err = f.State.Databases.Change(ctx, failpoint.AdvisoryRecord, state.CurrentDatabase, func(db *state.Database, _ bool) error {
		if db.Version == rec.Version || f.behind(rec, *db) {
			return state.ErrUnchanged
		}
		next := rec
		if db.Version != rec.Before {
			next.Before, next.Changes = db.Version, "" // compared with another one
		}
		*db = next
		return nil
	})
	return err
}

// behind tells whether a new database has the advisories of the current one,
// but an older copy of the scores: another worker brought newer ones. Each would
// replace the other's otherwise, again and again. Scores that are no longer
// asked for may go.
func (f *Feed) behind(next, current state.Database) bool {
	if next.Records != current.Records || !next.UpdatedAt.Equal(current.UpdatedAt) || next.Sample != current.Sample {
		return false
	}
	epss, kev := 0, 0
	if f.EPSS != "" {
		epss = next.EPSS.Compare(current.EPSS)
	}
	if f.KEV != "" {
		kev = next.KEV.Compare(current.KEV)
	}
	return cmp.Or(epss, kev) < 0
}

// compare notes in the record what differs from the current database, so that
// only verdicts it concerns need be made again. Without that, all are.
func (f *Feed) compare(ctx context.Context, path string, rec *state.Database) {
	current, err := f.State.Databases.Get(ctx, state.CurrentDatabase)
	if err == nil {
		rec.Before = current.Value.Version
		rec.Changes, err = f.changes(ctx, current.Value.Object, path)
	}
	if err != nil && !errors.Is(err, state.ErrNotFound) && ctx.Err() == nil {
		f.Log.Warn("new advisories not compared with those before, every verdict is made again", zap.Error(err))
	}
}

// changes stores what differs between the database that is stored and the one
// in a file. Nothing is stored where that may be anything.
func (f *Feed) changes(ctx context.Context, object events.Digest, path string) (changes events.Digest, err error) {
	before := filepath.Join(filepath.Dir(path), "before.db")
	if err := f.load(ctx, object, before); err != nil {
		return "", err
	}
	older, err := advisory.Open(before)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, older.Close()) }()
	newer, err := advisory.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, newer.Close()) }()
	keys, all, err := advisory.Compare(ctx, older, newer)
	if err != nil || all {
		return "", err
	}
	return f.State.Advisories.Put(ctx, failpoint.AdvisoryChanges, advisory.EncodeChanges(keys))
}

// load makes a stored database a file.
func (f *Feed) load(ctx context.Context, object events.Digest, path string) (err error) {
	in, err := f.State.Advisories.Open(ctx, object)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.Create(path) //nolint:gosec // a file of this package's folder
	if err != nil {
		return fmt.Errorf("load advisories: %w", err)
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// store puts the compiled file into the object store.
func (f *Feed) store(ctx context.Context, path string) (d events.Digest, err error) {
	file, err := os.Open(path) //nolint:gosec // a file this package has just written
	if err != nil {
		return "", fmt.Errorf("store advisories: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", fmt.Errorf("store advisories: %w", err)
	}
	d = events.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("store advisories: %w", err)
	}
	return d, f.State.Advisories.PutStream(ctx, failpoint.AdvisoryObject, d, file)
}
