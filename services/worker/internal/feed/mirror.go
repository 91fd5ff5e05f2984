package feed

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// What is fetched of an export's ecosystem: its zip now and then, in between
// the records that the list of modifications names.
const (
	zipMost    = 2 << 30   // bytes of a zip
	listMost   = 256 << 20 // bytes of a list of modifications
	recordMost = 32 << 20  // bytes of a record
	singleMost = 2000      // records fetched one by one; beyond, the zip is less work
	newerMost  = 10_000    // records kept beside the zip
	atOnce     = 8         // records fetched at a time
	// overlap is looked at again each time: list, records and zip of an export
	// may be of different moments.
	overlap = 2 * time.Hour
	// zipEvery is how often the zip is fetched anew all the same: a record that
	// was removed is in no list.
	zipEvery = 7 * 24 * time.Hour
)

// Remote tells whether a source is a URL, not a directory.
func Remote(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

// Export is an export behind a URL, and where its copy is kept.
type Export struct {
	URL        string
	Ecosystems []string
	Dir        string
	// Retry is the pause before a transfer that broke off is gone on with, which
	// doubles; 0: a second.
	Retry time.Duration
	// Now is the time; nil: time.Now.
	Now func() time.Time
}

// Fetch brings the copy up to date: all.zip of each ecosystem, and in newer.zip
// what changed since. Only what has changed is transferred.
func Fetch(ctx context.Context, e Export) error {
	m := newMirror(e.Retry, e.Now)
	defer m.client.CloseIdleConnections()
	for _, eco := range e.Ecosystems {
		if strings.ContainsAny(eco, "/\\:") || eco == ".." {
			return fmt.Errorf("%q is no ecosystem's name: leave out the release", eco)
		}
		s := shelf{mirror: m, base: strings.TrimSuffix(e.URL, "/") + "/" + url.PathEscape(eco) + "/", dir: filepath.Join(e.Dir, eco)}
		if err := s.sync(ctx); err != nil {
			return fmt.Errorf("fetch advisories of %s: %w", eco, err)
		}
	}
	return nil
}

// shelf is one ecosystem's copy.
type shelf struct {
	mirror

	base, dir string
	memory    memory
}

// memory is what is known of a copy beside its files. Losing it costs a
// transfer.
type memory struct {
	ZipAt   time.Time            `json:"zipAt"`             // last time the zip was asked for
	ListTag string               `json:"listTag,omitempty"` // ETag of the list that was last gone through
	Since   time.Time            `json:"since,omitzero"`    // its newest modification
	Newer   map[string]time.Time `json:"newer,omitempty"`   // records in newer.zip, with their modification
}

func (s *shelf) file(name string) string { return filepath.Join(s.dir, name) }

// sync brings the copy up to date.
func (s *shelf) sync(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return err
	}
	s.memory = s.remembered()
	list, tag, err := s.list(ctx)
	var answered *statusError
	switch {
	case errors.Is(err, errUnchanged):
		return nil
	case errors.As(err, &answered) && answered.status == http.StatusNotFound:
		list = nil // a mirror of the zips alone
	case err != nil:
		return fmt.Errorf("list of modifications: %w", err)
	}
	changed := s.changed(list)
	if s.stale() || list == nil || len(changed) > singleMost || len(changed)+len(s.memory.Newer) > newerMost {
		err = s.whole(ctx)
	} else {
		err = s.single(ctx, changed)
	}
	if err != nil {
		return err
	}
	s.memory.ListTag = tag
	if len(list) > 0 {
		s.memory.Since = list[0].at
	}
	return s.remember()
}

// stale tells whether the zip is to be fetched anew.
func (s *shelf) stale() bool {
	return !exists(s.file("all.zip")) || s.now().Sub(s.memory.ZipAt) > zipEvery || s.memory.Since.IsZero()
}

func (s *shelf) remembered() memory {
	var m memory
	raw, err := os.ReadFile(s.file("memory.json"))
	if err != nil || json.Unmarshal(raw, &m) != nil || !exists(s.file("all.zip")) {
		return memory{}
	}
	return m
}

func (s *shelf) remember() error {
	raw, err := json.Marshal(s.memory)
	if err != nil {
		return err
	}
	fresh := s.file("memory.json.new")
	return errors.Join(os.WriteFile(fresh, raw, 0o600), os.Rename(fresh, s.file("memory.json")))
}

// list reads the list of modifications, newest first.
func (s *shelf) list(ctx context.Context) (list []modified, tag string, err error) {
	known := s.memory.ListTag
	if s.now().Sub(s.memory.ZipAt) > zipEvery {
		known = "" // the zip is due, list or no list
	}
	path := s.file("modified_id.csv")
	tag, err = s.download(ctx, download{url: s.base + "modified_id.csv", to: path, tag: known, most: listMost})
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	list, err = readList(path)
	return list, tag, err
}

// changed picks what is not in the copy yet.
func (s *shelf) changed(list []modified) []modified {
	from := s.memory.Since.Add(-overlap)
	var out []modified
	for _, m := range list {
		if m.at.Before(from) {
			break
		}
		if at, have := s.memory.Newer[m.id]; !have || at.Before(m.at) {
			out = append(out, m)
		}
	}
	return out
}

// whole fetches the zip, unless it is the one that is there.
func (s *shelf) whole(ctx context.Context) error {
	target, fresh := s.file("all.zip"), s.file("all.zip.new")
	tag, err := s.download(ctx, download{url: s.base + "all.zip", to: fresh, tag: readTag(target), most: zipMost})
	switch {
	case errors.Is(err, errUnchanged):
		s.memory.ZipAt = s.now()
		return nil
	case err != nil:
		return err
	}
	if err := verifyZip(ctx, fresh); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	// Older states of records lose against newer ones, so it does no harm when
	// newer.zip is there a moment too long.
	if err := errors.Join(writeTag(target, ""), os.Rename(fresh, target), writeTag(target, tag), os.RemoveAll(s.file("newer.zip"))); err != nil {
		return err
	}
	s.memory.ZipAt, s.memory.Newer = s.now(), nil
	return nil
}

// single fetches records one by one and keeps them beside the zip.
func (s *shelf) single(ctx context.Context, changed []modified) error {
	if len(changed) == 0 {
		return nil
	}
	var mu sync.Mutex
	records := map[string][]byte{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, m := range changed {
		group.Go(func() error {
			raw, err := s.record(ctx, m.id)
			var answered *statusError
			if errors.As(err, &answered) && answered.status == http.StatusNotFound {
				return nil // the list knows of it first; it is asked for again
			}
			if err != nil {
				return fmt.Errorf("record %s: %w", m.id, err)
			}
			mu.Lock()
			defer mu.Unlock()
			records[m.id] = raw
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := addToZip(s.file("newer.zip"), records); err != nil {
		return err
	}
	if s.memory.Newer == nil {
		s.memory.Newer = map[string]time.Time{}
	}
	for _, m := range slices.Backward(changed) { // the newest of an id is last
		if _, have := records[m.id]; have {
			s.memory.Newer[m.id] = m.at
		}
	}
	return nil
}

// record fetches one record and looks whether it is one, and that one.
func (s *shelf) record(ctx context.Context, id string) (raw []byte, err error) {
	for try := 1; ; try++ {
		raw, err = s.small(ctx, s.base+url.PathEscape(id)+".json", recordMost)
		var answered *statusError
		if err == nil || errors.As(err, &answered) || try == fetchTries || ctx.Err() != nil {
			break
		}
		wait(ctx, s.pause<<(try-1))
	}
	if err != nil {
		return nil, err
	}
	var r struct{ ID string }
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	if r.ID != id {
		return nil, fmt.Errorf("what came has the id %q", cmp.Or(r.ID, "none"))
	}
	return raw, nil
}
