package worker

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// sign says again and again, until ctx ends, that this worker lives and which
// jobs it takes: one that nobody takes is shown to wait for a worker. It only
// informs. A worker that stops says so; of one that died it is known when its
// last sign is older than its leases.
func (w *worker) sign(ctx context.Context) error {
	tick := time.NewTicker(w.cfg.Lease / 2)
	defer tick.Stop()
	for {
		err := w.signed(ctx, time.Now().Add(w.cfg.Lease+w.cfg.Lease/2))
		if err != nil && ctx.Err() == nil {
			w.log.Warn("sign of life not given", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return w.signOff(context.WithoutCancel(ctx))
		case <-tick.C:
		}
	}
}

func (w *worker) signed(ctx context.Context, until time.Time) error {
	_, err := w.state.Workers.Change(ctx, failpoint.WorkerSign, w.name, func(s *state.Worker, _ bool) error {
		*s = state.Worker{Name: w.name, OS: w.cfg.OS, Pools: w.cfg.Pools, Until: until}
		return nil
	})
	return err
}

// signOff takes the sign back. Where that cannot be done it runs out.
func (w *worker) signOff(ctx context.Context) error {
	const limit = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	rec, err := w.state.Workers.Get(ctx, w.name)
	if err == nil {
		err = w.state.Workers.Delete(ctx, failpoint.WorkerSign, rec)
	}
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		w.log.Debug("sign of life not taken back", zap.Error(err))
	}
	return nil
}
