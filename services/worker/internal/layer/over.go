package layer

import (
	"errors"
	"fmt"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// limitError is a limit that was hit, in words that name the limit, its value and
// what sets it. The rest of the layer is not looked at.
type limitError struct{ text string }

// Error implements error.
func (o *limitError) Error() string { return o.text }

func overf(format string, args ...any) error { return &limitError{fmt.Sprintf(format, args...)} }

// limited turns a limit that was hit into a note.
func (c *collector) limited(err error) error {
	var hit *limitError
	switch {
	case errors.As(err, &hit):
		c.partial("the rest of the layer was not read: %s", hit.text)
	case errors.Is(err, errWindow):
		c.partial("the rest of the layer was not read: a zstd frame asks for a window of more than %s, which is fixed", config.Size(zstdLargest))
	default:
		return err
	}
	return nil
}

// partial notes what was left out because of a limit.
func (c *collector) partial(format string, args ...any) {
	c.found.Partial = true
	c.note(verdict.NoteLayerPartial, fmt.Sprintf(format, args...))
}

// TooLarge tells whether a layer of so many compressed bytes is beyond the
// limit. Its inventory is empty and says so; Read gives ErrTooLarge.
func (r *Reader) TooLarge(digest string, size int64) (inventory.Layer, bool) {
	if size <= r.limits.Compressed {
		return inventory.Layer{}, false
	}
	return r.Unread(digest), true
}

// Unread is the inventory of a layer beyond Limits.Compressed.
func (r *Reader) Unread(digest string) inventory.Layer {
	c := newCollector(r, digest)
	c.partial("the layer has more than %s (%s) and was not looked into", config.Size(r.limits.Compressed), SettingCompressed)
	return c.layer()
}
