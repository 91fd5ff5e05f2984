// Package assess makes reports: it compares an image's inventory with the
// advisory database in use.
package assess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// Databases keeps the database in use open and follows its replacement.
type Databases struct {
	State *state.Store
	// Dir is where databases are kept as files; they are fetched again when
	// they are gone.
	Dir string
	// Retry is the first pause before a database that could not be opened is
	// tried again; 0: a second.
	Retry time.Duration
	Log   *zap.Logger

	changing sync.Mutex // held by whoever puts another database in use
	mu       sync.RWMutex
	db       *advisory.DB
	version  string
	before   string // the version it replaced; empty: not known
	path     string // its file
	last     replaced
}

// replaced is a database that was in use here before; its file stays until
// the verdicts on it were compared with the one in use.
type replaced struct{ version, path string }

// With runs use with the database in use, nil where there is none. The
// database stays open while use runs.
func (d *Databases) With(use func(db *advisory.DB)) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	use(d.db)
}

// Version is the version in use, empty where there is none.
func (d *Databases) Version() string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.version
}

// Replaced reports whether the database in use is of one version and replaced
// another one: then it is newer than that, whatever has become current since.
func (d *Databases) Replaced(inUse, before string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return inUse != "" && before != "" && d.version == inUse && d.before == before
}

// Used names the database in use; zero: there is none.
func (d *Databases) Used() verdict.Database {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.db == nil {
		return verdict.Database{}
	}
	return d.db.Version()
}

// Current is the version that every verdict should be made with, whether or not
// this worker has it open yet; empty: there is none.
func (d *Databases) Current(ctx context.Context) (string, error) {
	rec, err := d.State.Databases.Get(ctx, state.CurrentDatabase)
	if errors.Is(err, state.ErrNotFound) {
		return "", nil
	}
	return rec.Value.Version, err
}

// Close closes the database in use.
func (d *Databases) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db == nil {
		return nil
	}
	db := d.db
	d.db, d.version, d.before, d.path = nil, "", "", ""
	return db.Close()
}

// use puts a database in use, and reports whether it was not before.
func (d *Databases) use(ctx context.Context, rec state.Database) (changed bool, err error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	if rec.Version == d.Version() {
		return false, nil
	}
	db, path, err := d.open(ctx, rec.Object)
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	old, last := d.db, replaced{d.version, d.path}
	d.db, d.version, d.before, d.path, d.last = db, rec.Version, rec.Before, path, last
	d.mu.Unlock()
	d.Log.Info("advisory database in use", zap.String("version", rec.Version), zap.Int("records", rec.Records))
	if old != nil {
		if err := old.Close(); err != nil {
			d.Log.Warn("old advisory database not closed", zap.Error(err))
		}
	}
	d.tidy(time.Now(), path, last.path)
	return true, nil
}

// open opens the object's file. A file that cannot be opened, however it came
// to be so, is removed and fetched once more.
func (d *Databases) open(ctx context.Context, object events.Digest) (*advisory.DB, string, error) {
	for again := false; ; again = true {
		path, err := d.fetch(ctx, object)
		if err != nil {
			return nil, "", err
		}
		db, err := advisory.Open(path)
		if err == nil {
			return db, path, nil
		}
		err = errors.Join(err, os.Remove(path))
		if again {
			return nil, "", err
		}
		d.Log.Warn("advisory database file not usable, fetching it again", zap.Error(err))
	}
}

// openReplaced opens the database that the one in use replaced, if these are
// the two.
func (d *Databases) openReplaced(p pair) (*advisory.DB, error) {
	d.mu.RLock()
	inUse, last := d.version, d.last
	d.mu.RUnlock()
	if inUse != p.version || last.version != p.before || last.path == "" {
		return nil, fmt.Errorf("database %s was not in use here before %s", p.before, p.version)
	}
	return advisory.Open(last.path)
}

// discard removes the file of the database that a version replaced, if that is
// in use.
func (d *Databases) discard(inUse string) {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.mu.Lock()
	last, known := d.last, d.version == inUse
	if known {
		d.last = replaced{}
	}
	d.mu.Unlock()
	if known && last.path != "" {
		d.remove(last.path)
	}
}

func (d *Databases) remove(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.Log.Warn("old advisory database not removed", zap.Error(err))
	}
}

// tidy removes the databases that were here before, but those to keep. Whoever
// else has one of them open keeps it until it is closed.
func (d *Databases) tidy(before time.Time, keep ...string) {
	files, err := os.ReadDir(d.Dir)
	if err != nil {
		d.Log.Warn("old advisory databases not removed", zap.Error(err))
		return
	}
	for _, f := range files {
		path := filepath.Join(d.Dir, f.Name())
		token, isDB := strings.CutSuffix(f.Name(), suffix)
		if _, err := events.DigestFromToken(token); !isDB || err != nil || slices.Contains(keep, path) {
			continue // none of ours
		}
		if info, err := f.Info(); err == nil && info.ModTime().Before(before) {
			d.remove(path)
		}
	}
}

// suffix ends the name of a database's file.
const suffix = ".db"

// fetch makes the object a file, unless it is one already.
func (d *Databases) fetch(ctx context.Context, object events.Digest) (path string, err error) {
	path = filepath.Join(d.Dir, object.Token()+suffix)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	in, err := d.State.Advisories.Open(ctx, object)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.CreateTemp(d.Dir, "fetch-*")
	if err != nil {
		return "", fmt.Errorf("fetch database %s: %w", object, err)
	}
	defer func() { _ = os.Remove(out.Name()) }() // gone already when all went well
	if _, err := io.Copy(out, in); err != nil {
		return "", errors.Join(fmt.Errorf("fetch database %s: %w", object, err), out.Close())
	}
	if err := out.Close(); err != nil {
		return "", fmt.Errorf("fetch database %s: %w", object, err)
	}
	if err := os.Rename(out.Name(), path); err != nil {
		return "", fmt.Errorf("fetch database %s: %w", object, err)
	}
	return path, nil
}
