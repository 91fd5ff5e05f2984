package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// advisoriesJSON is the advisory database, how it is kept current, and who has
// it in use.
type advisoriesJSON struct {
	// Database is null while there is none: then nothing is known of any image.
	Database *databaseJSON    `json:"database"`
	Update   updateJSON       `json:"update"`
	Replicas []events.Replica `json:"replicas"`
}

type databaseJSON struct {
	Version   string    `json:"version"`
	UpdatedAt time.Time `json:"updatedAt"`
	StoredAt  time.Time `json:"storedAt"`
	Records   int       `json:"records"`
	Skipped   int       `json:"skipped"`
	Sample    bool      `json:"sample,omitempty"`
}

type updateJSON struct {
	Source      string         `json:"source,omitempty"`
	SucceededAt time.Time      `json:"succeededAt,omitzero"`
	AskedAt     time.Time      `json:"askedAt,omitzero"`
	Condition   *state.Failure `json:"condition,omitempty"`
}

func showUpdate(u state.Refresh) updateJSON {
	out := updateJSON{Source: u.Source, SucceededAt: u.SucceededAt, AskedAt: u.AskedAt}
	if u.Condition.Count > 0 {
		out.Condition = &u.Condition
	}
	return out
}

// showAdvisories tells which database there is, whether it is kept current and
// which workers have it in use.
func (a *API) showAdvisories(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	out := advisoriesJSON{Replicas: []events.Replica{}}
	current, err := a.State.Databases.Get(ctx, state.CurrentDatabase)
	if err == nil {
		db := current.Value
		out.Database = &databaseJSON{
			Version: db.Version, UpdatedAt: db.UpdatedAt, StoredAt: db.StoredAt, Records: db.Records, Skipped: db.Skipped, Sample: db.Sample,
		}
	} else if !errors.Is(err, state.ErrNotFound) {
		return err
	}
	update, err := a.State.Refreshes.Get(ctx, state.AdvisoryRefresh)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	out.Update = showUpdate(update.Value)
	err = a.State.Replicas.All(ctx, ">", func(rec state.Record[state.Replica]) error {
		v := rec.Value
		out.Replicas = append(out.Replicas, events.Replica{Name: v.Worker, Version: v.Version, Database: v.Database, DatabaseAt: v.DatabaseAt})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(out.Replicas, func(a, b events.Replica) int { return strings.Compare(a.Name, b.Name) })
	return write(w, http.StatusOK, out)
}

// updateAdvisories asks for a look at the source now. It is done when the last
// success, or the condition's last failure, is newer than the wish.
func (a *API) updateAdvisories(w http.ResponseWriter, r *http.Request) error {
	rec, err := a.State.Refreshes.Change(r.Context(), failpoint.APIAdvisories, state.AdvisoryRefresh, func(u *state.Refresh, _ bool) error {
		u.AskedAt = time.Now().UTC()
		return nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/advisories")
	return write(w, http.StatusAccepted, showUpdate(rec.Value))
}
