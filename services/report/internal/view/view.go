// Package view is the report service's picture of the state in Redis: a
// document for each image and each place, the reports, and indexes to find
// places by. Every entry of an index is scored by the moment it expires, every
// read leaves out what has expired, and a sweep removes it soon after.
//
// All that is written for one image is written in one transaction, under a
// watch of the image's document that begins before the state is read: of two
// writers at a time one is refused and reads the state again, so that an older
// state never replaces a newer one.
package view

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// View reads and writes the picture. It may be used by many at a time.
type View struct {
	redis *redis.Client
	keys  keys
	fail  failpoint.Hook
	now   func() time.Time
}

// ErrNotFound says that the view has no such document, which does not mean
// that the state has none.
var ErrNotFound = errors.New("not in the view")

// DefaultPrefix begins every key of an installation that has a Redis to
// itself.
const DefaultPrefix = "lw"

// New returns the view in a store. Keys begin with the prefix and a colon;
// fail is told of each write.
func New(c *redis.Client, prefix string, fail failpoint.Hook) *View {
	return &View{redis: c, keys: keys{prefix: prefix + ":"}, fail: fail, now: time.Now}
}

// write is every change of what users see.
func (v *View) write(do func() error) error { return v.fail.Around(failpoint.ReportView, do) }
