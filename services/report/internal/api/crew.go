package api

import (
	"context"
	"errors"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/crew"
)

// sweepWaits tells what keeps a sweep from going on: nobody who sweeps, a
// registry that asked to be left alone, or nobody who does one of the scans it has asked for.
func (a *API) sweepWaits(ctx context.Context, s state.Sweep) (string, error) {
	if s.Phase.Terminal() {
		return "", nil
	}
	workers, err := crew.Muster(ctx, a.State)
	if err != nil {
		return "", err
	}
	now := time.Now()
	if !workers.Alive(now) {
		return crew.NoWorker, nil
	}
	if why, err := a.paused(ctx, s.Rule.Registry, now); why != "" || err != nil {
		return why, err
	}
	for _, d := range s.Outstanding {
		job, err := a.State.Jobs.Get(ctx, d.Token())
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			return "", err
		}
		if why := workers.Waits(job.Value); why != "" {
			return why, nil
		}
	}
	return "", nil
}

// imagesWait fills in what those of the images wait for that wait for a scan.
func (a *API) imagesWait(ctx context.Context, images []*imageJSON) error {
	var pending []events.Digest
	for _, i := range images {
		if i.Status == verdict.Pending {
			pending = append(pending, i.Digest)
		}
	}
	waiting, err := crew.Waiting(ctx, a.State, pending)
	for _, i := range images {
		i.Waiting = waiting[i.Digest]
	}
	return err
}
