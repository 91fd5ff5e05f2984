package local

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/feed"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// families are the ecosystems an image's packages are of, sorted.
func families(inv inventory.Image) []string {
	var all []string
	for _, p := range inv.Packages {
		if p.Ecosystem != "" {
			all = append(all, advisory.Family(p.Ecosystem))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// database opens what there is to compare with; nil: nothing.
func (o Options) database(ctx context.Context, families []string) (*advisory.DB, error) {
	switch {
	case feed.Remote(o.Advisories):
		return o.fetched(ctx, o.Advisories, families)
	case o.Advisories != "":
		return o.compiled(ctx, os.DirFS(o.Advisories), o.Advisories, false)
	}
	if db := newest(o.Databases); db != nil {
		return db, nil
	}
	db, err := o.fetched(ctx, cmp.Or(o.Public, feed.Public), families)
	switch {
	case err == nil || ctx.Err() != nil:
		return db, err
	case o.Sample == nil:
		o.notice("the public advisories are out of reach (%v): nothing is compared", err)
		return nil, nil //nolint:nilnil // no database is what the report says then
	}
	o.notice("the public advisories are out of reach (%v): only the small sample set is used", err)
	return o.compiled(ctx, o.Sample, "sample", true)
}

func (o Options) notice(format string, args ...any) {
	if o.Notice != nil {
		o.Notice(fmt.Sprintf(format, args...))
	}
}

// newest opens the database that a worker on this machine stored last; nil:
// there is none that can be used.
func newest(dir string) *advisory.DB {
	if dir == "" {
		return nil
	}
	paths, err := filepath.Glob(filepath.Join(dir, "sha256-*.db"))
	if err != nil {
		return nil
	}
	slices.SortFunc(paths, func(a, b string) int { return modified(b).Compare(modified(a)) })
	for _, path := range paths {
		if db, err := advisory.Open(path); err == nil {
			return db
		}
	}
	return nil
}

// fetched brings the ecosystems in, as far as they have changed.
func (o Options) fetched(ctx context.Context, base string, families []string) (*advisory.DB, error) {
	if len(families) == 0 {
		families = []string{"Debian"} // nothing to compare, but with something
	}
	sum := sha256.Sum256([]byte(base))
	dir := filepath.Join(o.Cache, "export-"+hex.EncodeToString(sum[:6]))
	o.notice("bringing in advisories of %s from %s", strings.Join(families, ", "), base)
	if err := feed.Fetch(ctx, feed.Export{URL: base, Ecosystems: families, Dir: dir}); err != nil {
		return nil, err
	}
	return o.compiled(ctx, os.DirFS(dir), dir, false)
}

// compiled compiles an export, unless that was done before and nothing has
// changed.
func (o Options) compiled(ctx context.Context, source fs.FS, name string, sample bool) (*advisory.DB, error) {
	key, err := exportKey(source, name)
	if err != nil {
		return nil, fmt.Errorf("advisories in %s: %w", name, err)
	}
	path := filepath.Join(o.Cache, "local-"+key+".db")
	if db, err := advisory.Open(path); err == nil {
		return db, nil
	}
	if err := os.MkdirAll(o.Cache, 0o700); err != nil {
		return nil, fmt.Errorf("advisories' cache: %w", err)
	}
	o.notice("compiling advisories of %s", name)
	if _, err := advisory.Compile(ctx, source, path, advisory.Options{Sample: sample}); err != nil {
		return nil, fmt.Errorf("compile advisories of %s: %w", name, err)
	}
	return advisory.Open(path)
}

// exportKey changes when the export does: it is made of names, sizes and
// times, not of contents.
func exportKey(source fs.FS, name string) (string, error) {
	if abs, err := filepath.Abs(name); err == nil {
		name = abs
	}
	key := []string{name}
	zips, err := fs.Glob(source, "*/all.zip")
	if err != nil {
		return "", err
	}
	if len(zips) == 0 {
		return "", errors.New("no directory in OSV export layout (Ecosystem/all.zip)")
	}
	newer, err := fs.Glob(source, "*/newer.zip")
	if err != nil {
		return "", err
	}
	for _, z := range append(zips, newer...) {
		info, err := fs.Stat(source, z)
		if err != nil {
			return "", err
		}
		key = append(key, fmt.Sprintf("%s %d %d", z, info.Size(), info.ModTime().UnixNano()))
	}
	h := sha256.Sum256([]byte(strings.Join(key, "\n")))
	return hex.EncodeToString(h[:8]), nil
}

func modified(path string) (t time.Time) {
	if info, err := os.Stat(path); err == nil {
		t = info.ModTime()
	}
	return t
}
