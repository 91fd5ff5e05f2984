// Package places keeps the records of where images lie: whether their
// registries still have them, and what is announced about that.
package places

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Announcer publishes what happened to a place. What is to be said stands in
// the record, written together with the change itself: whoever finds it there
// after a crash says it.
type Announcer struct {
	Bus   *bus.Bus
	State *state.Store
}

// Announce publishes what the record has to say, if anything, and notes in the
// record that it was said.
func (a Announcer) Announce(ctx context.Context, rec state.Record[state.Place]) error {
	p := rec.Value
	if p.Announce == "" {
		return nil
	}
	e, err := events.New(
		events.ImageEvent{
			Kind: p.Announce, Image: p.Event(), Rules: p.Rules, Reason: p.Missing,
			ExpiresAt: p.ExpiresAt(), At: time.Now(),
		},
		events.Meta{ID: fmt.Sprintf("place/%s/%d", rec.Key, rec.Revision), Source: "worker/" + p.Registry, Time: time.Now()},
	)
	if err != nil {
		return err
	}
	if err := a.Bus.Publish(ctx, pointOf(p.Announce), e); err != nil {
		return err
	}
	rec.Value.Announce = ""
	_, err = a.State.Places.Put(ctx, failpoint.PlaceAnnounced, rec)
	if errors.Is(err, state.ErrConflict) {
		return nil // changed meanwhile: whoever did announces the newer state
	}
	return err
}

func pointOf(k events.Kind) failpoint.Point {
	switch k {
	case events.ImageGone:
		return failpoint.PlaceGone
	case events.ImageExpired:
		return failpoint.PlaceExpired
	default:
		return failpoint.PlaceChanged
	}
}
