package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// noWorker is what a job waits for whose pool or operating system no living
// worker serves.
const noWorker = "no worker"

// crew is all workers that have given a sign of life lately.
type crew []state.Worker

func (a *API) crew(ctx context.Context) (crew, error) {
	var c crew
	err := a.State.Workers.All(ctx, ">", func(rec state.Record[state.Worker]) error {
		c = append(c, rec.Value)
		return nil
	})
	return c, err
}

// waits tells what a job waits for; blank: its turn, if anything.
func (c crew) waits(j state.Job) string {
	now := time.Now()
	if j.State != state.JobQueued || slices.ContainsFunc(c, func(w state.Worker) bool {
		return w.Serves(j.Platform.OS, j.Pool, now)
	}) {
		return ""
	}
	return noWorker
}

// sweepWaits tells what keeps a sweep from going on: nobody who sweeps, or
// nobody who does one of the scans it has asked for.
func (a *API) sweepWaits(ctx context.Context, s state.Sweep) (string, error) {
	if s.Phase.Terminal() {
		return "", nil
	}
	workers, err := a.crew(ctx)
	if err != nil {
		return "", err
	}
	now := time.Now()
	if !slices.ContainsFunc(workers, func(w state.Worker) bool { return now.Before(w.Until) }) {
		return noWorker, nil
	}
	for _, d := range s.Outstanding {
		job, err := a.State.Jobs.Get(ctx, d.Token())
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			return "", err
		}
		if why := workers.waits(job.Value); why != "" {
			return why, nil
		}
	}
	return "", nil
}

// imagesWait fills in what those of the images wait for that wait for a scan.
func (a *API) imagesWait(ctx context.Context, images []*imageJSON) error {
	const atOnce = 16
	images = slices.DeleteFunc(images, func(i *imageJSON) bool { return i.Status != verdict.Pending })
	if len(images) == 0 {
		return nil
	}
	workers, err := a.crew(ctx)
	if err != nil {
		return err
	}
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(atOnce)
	for _, i := range images {
		asking.Go(func() error {
			job, err := a.State.Jobs.Get(ctx, i.Digest.Token())
			if errors.Is(err, state.ErrNotFound) {
				return nil
			}
			i.Waiting = workers.waits(job.Value)
			return err
		})
	}
	return asking.Wait()
}
