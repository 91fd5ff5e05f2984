// Package crew tells what scans wait for, from the signs of life that workers
// give.
package crew

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// NoWorker is what a job waits for whose pool or operating system no living
// worker serves.
const NoWorker = "no worker"

// Crew is all workers that have given a sign of life lately.
type Crew []state.Worker

// Muster reads who there is.
func Muster(ctx context.Context, st *state.Store) (Crew, error) {
	var c Crew
	err := st.Workers.All(ctx, ">", func(rec state.Record[state.Worker]) error {
		c = append(c, rec.Value)
		return nil
	})
	return c, err
}

// Alive reports whether there is any living worker.
func (c Crew) Alive(now time.Time) bool {
	return slices.ContainsFunc(c, func(w state.Worker) bool { return now.Before(w.Until) })
}

// Waits tells what a job waits for; blank: its turn, if anything.
func (c Crew) Waits(j state.Job) string {
	now := time.Now()
	if j.State != state.JobQueued || slices.ContainsFunc(c, func(w state.Worker) bool {
		return w.Serves(j.Platform.OS, j.Pool, now)
	}) {
		return ""
	}
	return NoWorker
}

// Waiting tells of those of the images that wait for anything but their turn
// what that is.
func Waiting(ctx context.Context, st *state.Store, images []events.Digest) (map[events.Digest]string, error) {
	const atOnce = 16
	waiting := map[events.Digest]string{}
	if len(images) == 0 {
		return waiting, nil
	}
	workers, err := Muster(ctx, st)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(atOnce)
	for _, d := range images {
		asking.Go(func() error {
			job, err := st.Jobs.Get(ctx, d.Token())
			if errors.Is(err, state.ErrNotFound) {
				return nil
			}
			if why := workers.Waits(job.Value); why != "" {
				mu.Lock()
				defer mu.Unlock()
				waiting[d] = why
			}
			return err
		})
	}
	err = asking.Wait()
	return waiting, err
}
