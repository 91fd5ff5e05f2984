package crashtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

var errNoLetter = errors.New("there is no such dead letter")

// letter is the newest dead letter of a stream, if it came after another.
func (w *world) letter(ctx context.Context, stream string, after int) (int, error) {
	var page struct{ Letters []struct{ ID string } }
	err := w.send(ctx, http.MethodGet, w.console+"/api/v1/dead?stream="+stream, http.NoBody, &page)
	if err != nil {
		return 0, err
	}
	if len(page.Letters) == 0 {
		return 0, errNoLetter
	}
	id, err := strconv.Atoi(page.Letters[0].ID)
	if err == nil && id <= after {
		err = errNoLetter
	}
	return id, err
}

// replayed replays a dead letter of a stream, and waits until what it held is
// dead again: it is such that it stays so.
func (w *world) replayed(stream string, refused func(ctx context.Context, id int) error) {
	w.t.Helper()
	var id int
	w.until("replay a dead letter of "+stream, func(ctx context.Context) (err error) {
		if id, err = w.letter(ctx, stream, 0); err != nil {
			return err
		}
		err = w.send(ctx, http.MethodPost, fmt.Sprintf("%s/api/v1/dead/%d/replay", w.console, id), http.NoBody, nil)
		if err != nil && strings.HasSuffix(err.Error(), "409 Conflict") {
			return errors.Join(err, refused(ctx, id))
		}
		return err
	})
	w.until("it is dead again", func(ctx context.Context) error {
		_, err := w.letter(ctx, stream, id)
		return err
	})
}

// triedAgain replays the wake-up of a scan that failed too often.
func (w *world) triedAgain() {
	w.t.Helper()
	w.replayed("SCANS", func(ctx context.Context, id int) error {
		// The scan's record was cleared away by now: the image is pushed anew.
		body := w.event("p3-"+strconv.Itoa(id), "bad/flaky", "1", w.flaky, "")
		return w.send(ctx, http.MethodPost, w.hooks+"/hooks/local/"+hookSecret, strings.NewReader(body), nil)
	})
	w.reported("flaky after its replay", w.flaky, 0, 0)
}

// readAgain replays a webhook that is not understood.
func (w *world) readAgain() {
	w.t.Helper()
	w.deliver("what is not understood", `{"no":"events"}`)
	w.replayed("REPLAYS", func(context.Context, int) error { return nil })
}
