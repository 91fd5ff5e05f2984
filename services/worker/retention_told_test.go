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

// A retention that is changed while an image is missing holds for it: nobody
// will see the image again to bring it into its record.
func TestAChangedRetentionReachesTheMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "all", Registry: registryName, Retention: config.Duration(48 * time.Hour)})
	r.work(nil)
	img := image(t, zlib(t, "1:1.3-1"))
	d := r.scanned("team/app", "1", img)
	r.registry.remove("1", d)
	r.swept("all")
	missing := func(want time.Duration) func(context.Context) error {
		return func(context.Context) error {
			p, err := r.place("team/app", d)
			if err == nil && (p.MissingSince.IsZero() || time.Duration(p.Retention) != want) {
				err = fmt.Errorf("got place %+v", p)
			}
			return err
		}
	}
	r.until("the image is missing", missing(48*time.Hour))
	told := len(r.told(events.ImageChanged))
	_, err := r.state.Rules.Change(t.Context(), failpoint.ConfigRule, "all", func(rule *state.Managed[config.Rule], _ bool) error {
		rule.Value.Retention = config.Duration(24 * time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.until("the new retention holds", missing(24*time.Hour))
	p, err := r.place("team/app", d)
	if err != nil {
		t.Fatal(err)
	}
	r.until("it is told", func(context.Context) error {
		for _, m := range r.told(events.ImageChanged)[told:] {
			if e, ok := m.Data().(events.ImageEvent); ok && e.ExpiresAt.Equal(p.ExpiresAt()) {
				return nil
			}
		}
		return errors.New("not yet")
	})

	t.Run("one of a rule that is gone stays as it was", func(t *testing.T) {
		rec, err := r.state.Rules.Get(t.Context(), "all")
		if err == nil {
			err = r.state.Rules.Delete(t.Context(), failpoint.ConfigRule, rec)
		}
		if err != nil {
			t.Fatal(err)
		}
		checked := p.CheckedAt
		r.until("the keeper has looked again", func(context.Context) error {
			_, err := r.state.Places.Change(t.Context(), failpoint.KeeperCheck, state.PlaceKey(d, registryName, "team/app"), func(p *state.Place, _ bool) error {
				if p.CheckedAt.After(checked) {
					return state.ErrUnchanged
				}
				p.CheckEvery = config.Duration(time.Millisecond)
				return nil
			})
			if p, getErr := r.place("team/app", d); err == nil && getErr == nil && !p.CheckedAt.After(checked) {
				err = errors.New("not yet")
			}
			return err
		})
		if err := missing(24 * time.Hour)(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
