package assess

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

const (
	retryFirst = time.Second // before a database that failed is tried again
	retryMost  = 5 * time.Minute
	watchPause = time.Second // after a watch that ended
)

// Follow opens the current database and each one that replaces it, until ctx
// ends. The one in use stays when its successor cannot be opened, which is then
// tried again and again. changed is called after each change, ready once the
// first look is over.
func (d *Databases) Follow(ctx context.Context, ready, changed func()) error {
	failed := make(chan struct{}, 1)
	var retrying sync.WaitGroup
	retrying.Go(func() { d.retry(ctx, failed, changed) })
	defer retrying.Wait()
	var once sync.Once
	told := false // once for each time the broker is away
	for ctx.Err() == nil {
		err := d.State.Databases.Watch(ctx, state.CurrentDatabase, func(u state.Update[state.Database]) {
			told = false
			if u.Synced {
				once.Do(ready)
				return
			}
			if u.Removed {
				return
			}
			if err := d.change(ctx, u.Value, changed); err != nil {
				select {
				case failed <- struct{}{}:
				default: // known
				}
			}
		})
		if err != nil && !told {
			d.Log.Warn("database watch interrupted, beginning again until it works", zap.Error(err))
			told = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchPause):
		}
	}
	return nil
}

// change puts a database in use and says so.
func (d *Databases) change(ctx context.Context, rec state.Database, changed func()) error {
	used, err := d.use(ctx, rec)
	if err != nil && ctx.Err() == nil {
		d.Log.Error("advisory database not usable, the one before stays", zap.String("version", rec.Version), zap.Error(err))
	}
	if used {
		changed()
	}
	return err
}

// retry tries the current database again after each failure, with pauses that
// grow until it is in use.
func (d *Databases) retry(ctx context.Context, failed <-chan struct{}, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-failed:
		}
		for wait := d.retryFirst(); ; wait = min(2*wait, retryMost) {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			rec, err := d.State.Databases.Get(ctx, state.CurrentDatabase)
			if err == nil {
				err = d.change(ctx, rec.Value, changed)
			}
			if err == nil || errors.Is(err, state.ErrNotFound) && rec.Revision == 0 {
				break
			}
		}
	}
}

func (d *Databases) retryFirst() time.Duration {
	if d.Retry > 0 {
		return d.Retry
	}
	return retryFirst
}
