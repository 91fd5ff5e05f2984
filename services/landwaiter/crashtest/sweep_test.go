package crashtest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// sweep is a sweep as the API shows it.
type sweep struct {
	ID, State  string
	Generation int
}

// sweepIs waits for a state of a sweep.
func (w *world) sweepIs(id, state string, generation int) {
	w.t.Helper()
	w.until("the sweep is "+state, func(ctx context.Context) error {
		var s sweep
		err := w.send(ctx, http.MethodGet, w.console+"/api/v1/sweeps/"+id, http.NoBody, &s)
		if err == nil && (s.State != state || s.Generation != generation) {
			err = fmt.Errorf("it is %+v", s)
		}
		return err
	})
}

// deleted deletes a sweep that is over. It may be gone: by an answer that a
// crash swallowed, or because it ended long ago.
func (w *world) deleted(id string) {
	w.t.Helper()
	w.until("delete the sweep", func(ctx context.Context) error {
		err := w.send(ctx, http.MethodDelete, w.console+"/api/v1/sweeps/"+id, http.NoBody, nil)
		if err != nil && strings.HasSuffix(err.Error(), "404 Not Found") {
			return nil
		}
		return err
	})
}

// controlled sweeps without a rule what gets stuck, cancels that in the middle,
// begins it once more, and forgets it.
func (w *world) controlled() {
	w.t.Helper()
	var s sweep
	w.order("/api/v1/sweeps", map[string]any{"registry": "local", "repositories": []string{"asked/app"}}, &s)
	for generation := range 2 {
		w.sweepIs(s.ID, "running", generation)
		w.until("its scan runs", func(ctx context.Context) error { return w.scanIs(ctx, "running") })
		w.order("/api/v1/sweeps/"+s.ID+"/cancel", map[string]any{}, nil)
		w.until("its scan is cancelled", func(ctx context.Context) error { return w.scanIs(ctx, "cancelled") })
		w.sweepIs(s.ID, "cancelled", generation)
		if generation == 0 {
			w.order("/api/v1/sweeps/"+s.ID+"/restart", map[string]any{}, nil)
		}
	}
	w.deleted(s.ID)
}

func (w *world) scanIs(ctx context.Context, want string) error {
	var scan struct{ State string }
	err := w.send(ctx, http.MethodGet, w.console+"/api/v1/scans/"+w.asked, http.NoBody, &scan)
	if err == nil && scan.State != want {
		err = fmt.Errorf("it is %s", scan.State)
	}
	return err
}

// forgotten deletes a sweep whose scan has ended well.
func (w *world) forgotten(id string) {
	w.t.Helper()
	w.until("the sweep is over", func(ctx context.Context) error {
		var s sweep
		err := w.send(ctx, http.MethodGet, w.console+"/api/v1/sweeps/"+id, http.NoBody, &s)
		switch {
		case err != nil && strings.HasSuffix(err.Error(), "404 Not Found"):
			return nil
		case err == nil && s.State != "done":
			err = fmt.Errorf("it is %+v", s)
		}
		return err
	})
	w.deleted(id)
}
