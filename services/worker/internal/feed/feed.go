// Package feed brings advisories in: it compiles an export in OSV layout into
// one database, stores it for all workers, and announces it.
package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// Feed keeps the advisory database current.
type Feed struct {
	Bus   *bus.Bus
	State *state.Store
	// Source is a directory or an http(s) URL in OSV export layout; blank:
	// Public.
	Source string
	// Ecosystems to bring in; none: all of a directory, and the Default ones of
	// a URL.
	Ecosystems []string
	// Fallback is used while the public export cannot be reached; nil: none.
	Fallback fs.FS
	// Dir is where files are kept while they are made.
	Dir string
	// Every is the pause between two looks at the source.
	Every time.Duration
	Now   func() time.Time
	Log   *zap.Logger
}

// Public is the public OSV export.
const Public = "https://osv-vulnerabilities.storage.googleapis.com"

// Default lists the ecosystems taken from a URL where none are named: what the
// engine finds most.
func Default() []string {
	return []string{"Debian", "Ubuntu", "Alpine", "Go", "npm", "PyPI", "Maven"}
}

// Run looks at the source at once and then again and again until ctx ends. A
// source that fails leaves the database that is in use, and it is looked for
// sooner; so it is while a sample stands in.
func (f *Feed) Run(ctx context.Context) error {
	const retryFirst = 30 * time.Second
	for retry := retryFirst; ; {
		wait := f.Every
		err := f.Update(ctx)
		if err != nil && ctx.Err() == nil {
			f.Log.Error("advisories not updated, the database in use stays", zap.Error(err))
		}
		if err != nil || f.standIn(ctx) {
			wait = min(retry, f.Every)
			retry *= 2
		} else {
			retry = retryFirst
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Update compiles the source and puts the result in use where it is new.
func (f *Feed) Update(ctx context.Context) error {
	source, sample, err := f.source(ctx)
	if err != nil {
		return err
	}
	// Two workers may share the folder.
	dir, err := os.MkdirTemp(f.Dir, "compiling-*")
	if err != nil {
		return fmt.Errorf("compile advisories: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left over takes only room
	out := filepath.Join(dir, "advisories.db")
	info, err := advisory.Compile(ctx, source, out, advisory.Options{Ecosystems: f.only(sample), Sample: sample})
	if err != nil {
		return fmt.Errorf("compile advisories of %s: %w", f.name(), err)
	}
	for _, skip := range info.Skipped {
		f.Log.Warn("advisory left out", zap.Any("record", skip))
	}
	if rec, err := f.State.Databases.Get(ctx, state.CurrentDatabase); err == nil && rec.Value.Version == info.Version {
		return f.announce(ctx, rec)
	}
	return f.publish(ctx, out, info, sample)
}

func (f *Feed) name() string {
	if f.Source == "" {
		return Public
	}
	return f.Source
}

// only restricts an export to the ecosystems asked for: the folder of what was
// fetched may hold more, from before they were changed. All of a sample counts.
func (f *Feed) only(sample bool) []string {
	switch {
	case sample:
		return nil
	case len(f.Ecosystems) == 0 && Remote(f.name()):
		return Default()
	default:
		return f.Ecosystems
	}
}

// source opens the export: a directory as it is, a URL as files fetched from
// it, and while the public export cannot be reached the fallback, which is a
// sample.
func (f *Feed) source(ctx context.Context) (source fs.FS, sample bool, err error) {
	if !Remote(f.name()) {
		if info, err := os.Stat(f.Source); err != nil || !info.IsDir() {
			return nil, false, fmt.Errorf("advisories: %s is no directory: name one in OSV export layout (Ecosystem/all.zip)", f.Source)
		}
		return os.DirFS(f.Source), false, nil
	}
	dir := filepath.Join(f.Dir, "export")
	if err = Fetch(ctx, f.name(), f.only(false), dir); err == nil {
		return os.DirFS(dir), false, nil
	}
	if f.Fallback == nil || f.Source != "" || !f.replaceable(ctx) {
		return nil, false, err
	}
	f.Log.Warn("public advisories out of reach, using the small sample set: expect most findings to be missing", zap.Error(err))
	return f.Fallback, true, nil
}

// standIn tells whether a sample is in use.
func (f *Feed) standIn(ctx context.Context) bool {
	rec, err := f.State.Databases.Get(ctx, state.CurrentDatabase)
	return err == nil && rec.Value.Sample
}

// replaceable tells whether a sample would be no loss: there is no database, or
// only a sample. One that cannot be looked at may be whole.
func (f *Feed) replaceable(ctx context.Context) bool {
	rec, err := f.State.Databases.Get(ctx, state.CurrentDatabase)
	return errors.Is(err, state.ErrNotFound) || (err == nil && rec.Value.Sample)
}

func (f *Feed) publish(ctx context.Context, path string, info advisory.Info, sample bool) error {
	object, err := f.store(ctx, path)
	if err != nil {
		return err
	}
	rec := state.Database{
		Version: info.Version, Object: object, UpdatedAt: info.UpdatedAt, Records: info.Records,
		Skipped: info.SkippedTotal, StoredAt: f.Now(), Sample: sample,
	}
	current, err := f.State.Databases.Change(ctx, failpoint.AdvisoryRecord, state.CurrentDatabase, func(db *state.Database, _ bool) error {
		if db.Version == rec.Version {
			return state.ErrUnchanged
		}
		*db = rec
		return nil
	})
	if err != nil {
		return err
	}
	return f.announce(ctx, current)
}

// announce tells that the database is in use, once: the record says whether
// it was told.
func (f *Feed) announce(ctx context.Context, rec state.Record[state.Database]) error {
	db := rec.Value
	if db.Announced {
		return nil
	}
	e, err := events.New(events.AdvisoriesUpdated{
		Version: db.Version, Object: db.Object, UpdatedAt: db.UpdatedAt, Records: db.Records, Skipped: db.Skipped, At: db.StoredAt,
	}, events.Meta{ID: "advisories/" + db.Version, Source: "worker", Time: db.StoredAt})
	if err != nil {
		return err
	}
	if err := f.Bus.Publish(ctx, failpoint.AdvisoryPublish, e); err != nil {
		return err
	}
	rec.Value.Announced = true
	if _, err = f.State.Databases.Put(ctx, failpoint.AdvisoryAnnounced, rec); errors.Is(err, state.ErrConflict) {
		return nil // replaced meanwhile, or announced by another worker
	}
	return err
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
