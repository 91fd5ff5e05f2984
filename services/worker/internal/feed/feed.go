// Package feed brings advisories in: it keeps a copy of an export in OSV
// layout, compiles it into one database, and stores that for all workers.
// Whatever fails, the database in use stays.
package feed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// Feed keeps the advisory database current.
type Feed struct {
	State *state.Store
	// Source is a directory, an http(s) URL or an artifact in an OCI registry,
	// oci://host/repository:tag, in OSV export layout; blank: Public.
	Source string
	// EPSS and KEV are each a file or an http(s) URL: FIRST's scores as CSV,
	// also gzipped, and CISA's catalogue as JSON. Blank: none.
	EPSS, KEV string
	// Ecosystems to bring in; none: all of a directory or artifact, and the
	// Default ones of a URL.
	Ecosystems []string
	// Fallback is used while the public export cannot be reached; nil: none.
	Fallback fs.FS
	// Dir is where files are kept while they are made, and copies of what was
	// fetched.
	Dir string
	// Every is the pause between two looks at the source.
	Every time.Duration
	// Retry is the pause before a transfer that broke off is gone on with, which
	// doubles; 0: a second.
	Retry time.Duration
	// Outcomes counts what became of the looks; nil: nobody does.
	Outcomes *Outcomes
	Now      func() time.Time
	Log      *zap.Logger
}

// Public is the public OSV export.
const Public = "https://osv-vulnerabilities.storage.googleapis.com"

// Default lists the ecosystems taken from a URL where none are named: what the
// engine finds most.
func Default() []string {
	return []string{"Debian", "Ubuntu", "Alpine", "Go", "npm", "PyPI", "Maven"}
}

// Run looks at the source at once and then again and again until ctx ends, and
// whenever a user asks. A source that fails leaves the database that is in use,
// and it is looked for sooner; so it is while a sample stands in.
func (f *Feed) Run(ctx context.Context) error {
	const retryFirst = 30 * time.Second
	asked, stop := f.asked(ctx)
	defer stop()
	for retry := retryFirst; ; {
		wait := f.Every
		err := f.Update(ctx)
		if err != nil && ctx.Err() == nil {
			f.Log.Error("advisories not updated, the database in use stays", zap.Error(err))
		}
		if err != nil || f.standIn(ctx) {
			wait = min(retry, f.Every)
			retry = min(2*retry, f.Every)
		} else {
			retry = retryFirst
		}
		select {
		case <-ctx.Done():
			return nil
		case <-asked:
		case <-time.After(wait):
		}
	}
}

// Update compiles the source and puts the result in use where it is new. What
// became of it stands in the record of such looks.
func (f *Feed) Update(ctx context.Context) error {
	err := f.update(ctx)
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, f.note(ctx, err))
}

func (f *Feed) update(ctx context.Context) error {
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
	info, err := advisory.Compile(ctx, source, out, advisory.Options{
		Ecosystems: f.only(sample), Sample: sample,
		EPSS: f.scores(ctx, "epss", f.EPSS, advisory.CheckEPSS), KEV: f.scores(ctx, "kev", f.KEV, advisory.CheckKEV),
	})
	if err != nil {
		return fmt.Errorf("compile advisories of %s: %w", f.name(), err)
	}
	for _, skip := range info.Skipped {
		f.Log.Warn("advisory left out", zap.Any("record", skip))
	}
	if rec, err := f.State.Databases.Get(ctx, state.CurrentDatabase); err == nil && rec.Value.Version == info.Version {
		return nil
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

// source opens the export: a directory as it is, others as files fetched from
// them, and while the public export cannot be reached the fallback, which is a
// sample.
func (f *Feed) source(ctx context.Context) (source fs.FS, sample bool, err error) {
	switch name := f.name(); {
	case artifact(name):
		dir := filepath.Join(f.Dir, "artifact")
		return os.DirFS(dir), false, pull(ctx, name, dir)
	case !Remote(name):
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			return nil, false, fmt.Errorf("advisories: %s is no directory: name one in OSV export layout (Ecosystem/all.zip)", name)
		}
		return os.DirFS(name), false, nil
	}
	dir := filepath.Join(f.Dir, "export")
	if err = Fetch(ctx, Export{URL: f.name(), Ecosystems: f.only(false), Dir: dir, Retry: f.Retry, Now: f.Now}); err == nil {
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
