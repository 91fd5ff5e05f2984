package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Whoever keeps images by when they expire must hear when that changes.
func TestAMovedRetentionIsTold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		back   time.Duration // since the last look
		before string
		status int
		want   string
	}{
		"our own outage":       {time.Hour, state.MissingGone, http.StatusNotFound, state.MissingGone},
		"gone, now silent":     {90 * time.Second, state.MissingGone, http.StatusInternalServerError, state.MissingUnreachable},
		"silent, now answered": {90 * time.Second, state.MissingUnreachable, http.StatusNotFound, state.MissingGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, config.Rule{Name: "all", Registry: registryName, Retention: config.Duration(30 * time.Minute)})
			stop := r.work(nil)
			d := r.scanned("team/app", "1", image(t, zlib(t, "1:1.3-1")))
			r.idle()
			stop()
			told := len(r.told(events.ImageChanged))
			r.registry.failing(status(tt.status, "HEAD", "/v2/team/app/manifests/"))
			back := time.Now().Add(-tt.back)
			_, err := r.state.Places.Change(t.Context(), failpoint.KeeperCheck, state.PlaceKey(d, registryName, "team/app"), func(p *state.Place, _ bool) error {
				p.MissingSince, p.Missing, p.CheckedAt, p.CheckEvery = back, tt.before, back, config.Duration(time.Minute)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			r.work(nil)
			r.until("the change is told", func(context.Context) error {
				all := r.told(events.ImageChanged)[told:]
				if len(all) == 0 {
					return errors.New("not yet")
				}
				e, ok := all[0].Data().(events.ImageEvent)
				p, err := r.place("team/app", d)
				if err == nil && (!ok || e.Reason != tt.want || !e.ExpiresAt.Equal(p.ExpiresAt())) {
					err = fmt.Errorf("told %+v of %+v", e, p)
				}
				return err
			})
		})
	}
}
