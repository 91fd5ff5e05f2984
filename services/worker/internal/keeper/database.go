package keeper

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/agent"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const (
	// signRounds is how many rounds pass between two signs of life.
	signRounds = 6
	// signsMissed is how many of them a worker may miss before nobody waits
	// for it any more.
	signsMissed = 3
	// openTime is how long workers have to open a new database before it is
	// announced without them.
	openTime = 2 * time.Minute
)

// replica tells which database this worker has in use: now and then, and at
// once when it is another.
func (k *Keeper) replica(ctx context.Context) error {
	if k.Worker == "" {
		return nil
	}
	used, now := k.Databases.Used(), k.Now()
	if k.signed.Database == used.Version && now.Sub(k.signed.LastAt) < signRounds*k.Tick {
		return nil
	}
	rec, err := k.State.Replicas.Change(ctx, failpoint.AdvisoryReplica, k.Worker, func(r *state.Replica, _ bool) error {
		*r = state.Replica{
			Worker: k.Worker, Version: agent.UserAgent(), Database: used.Version, DatabaseAt: used.UpdatedAt, LastAt: now,
		}
		return nil
	})
	if err == nil {
		k.signed = rec.Value
	}
	return err
}

// database announces the current database when every worker has it in use, or
// one had not in time. The record says whether it was announced.
func (k *Keeper) database(ctx context.Context) error {
	rec, err := k.State.Databases.Get(ctx, state.CurrentDatabase)
	if errors.Is(err, state.ErrNotFound) || (err == nil && rec.Value.Announced) {
		return nil
	}
	if err != nil {
		return err
	}
	db := rec.Value
	replicas, all, err := k.replicas(ctx, db.Version)
	if err != nil || (!all && k.Now().Sub(db.StoredAt) < openTime) {
		return err
	}
	e, err := events.New(events.AdvisoriesUpdated{
		Version: db.Version, Object: db.Object, UpdatedAt: db.UpdatedAt, Records: db.Records, Skipped: db.Skipped, At: db.StoredAt,
		Success: all, Replicas: replicas,
	}, events.Meta{ID: "advisories/" + db.Version + "/" + db.StoredAt.UTC().Format(time.RFC3339Nano), Source: "worker", Time: db.StoredAt})
	if err != nil {
		return err
	}
	if err := k.Bus.Publish(ctx, failpoint.AdvisoryPublish, e); err != nil {
		return err
	}
	rec.Value.Announced = true
	_, err = k.State.Databases.Put(ctx, failpoint.AdvisoryAnnounced, rec)
	return settled(err) // replaced meanwhile, or announced by another worker
}

// replicas lists the workers that give signs of life, and tells whether all of
// them have a version in use.
func (k *Keeper) replicas(ctx context.Context, version string) (list []events.Replica, all bool, err error) {
	records, err := k.State.Replicas.List(ctx, ">")
	all = true
	for _, r := range records {
		w := r.Value
		if k.Now().Sub(w.LastAt) > signsMissed*signRounds*k.Tick {
			continue
		}
		all = all && w.Database == version
		list = append(list, events.Replica{Name: w.Worker, Version: w.Version, Database: w.Database, DatabaseAt: w.DatabaseAt})
	}
	slices.SortFunc(list, func(a, b events.Replica) int { return strings.Compare(a.Name, b.Name) })
	return list, all, err
}
