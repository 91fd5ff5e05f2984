package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/hook"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// registryRow is a registry in numbers.
type registryRow struct {
	config.Registry

	Images    int64
	Coverage  coverage
	Condition *state.Condition // nil: it can be read
	Held      bool             // its credential waits for an admin's word
	Revision  string           // the API's ETag of what is shown
}

// coverage is the share of new images that webhooks announced.
type coverage struct {
	view.Coverage

	Share float64
	Known bool
	Total int64
}

// registryPage is a registry and what to do there so that it sends its
// webhooks.
type registryPage struct {
	registryRow

	Webhook *hook.Setup // nil: Reason says why it is not known
	Reason  string
}

func (c *Console) registries(w http.ResponseWriter, r *http.Request) error {
	var rows []registryRow
	err := c.State.Registries.All(r.Context(), ">", func(rec state.Record[state.Managed[config.Registry]]) error {
		rows = append(rows, rowOf(rec))
		return nil
	})
	if err != nil {
		return err
	}
	for i := range rows {
		if err := c.count(r, &rows[i]); err != nil {
			return err
		}
	}
	slices.SortFunc(rows, func(a, b registryRow) int { return strings.Compare(a.Name, b.Name) })
	return c.render(w, http.StatusOK, "registries", page{Title: "Registries", Member: true, Here: r.URL.RequestURI(), Content: rows})
}

func rowOf(rec state.Record[state.Managed[config.Registry]]) registryRow {
	return registryRow{Registry: rec.Value.Value, Held: state.Held(rec.Value), Revision: etag(rec.Revision)}
}

// count fills in what is known of the registry beside its configuration.
func (c *Console) count(r *http.Request, row *registryRow) error {
	images, covered, err := c.View.Registry(r.Context(), row.Name)
	if err != nil {
		return err
	}
	row.Images, row.Coverage = images, coverage{Coverage: covered, Total: covered.Announced + covered.Found}
	row.Coverage.Share, row.Coverage.Known = covered.Share()
	rec, err := c.State.Conditions.Get(r.Context(), row.Name)
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	row.Condition = &rec.Value
	return err
}

func (c *Console) registry(w http.ResponseWriter, r *http.Request) error {
	name, rec, err := r.PathValue("name"), state.Record[state.Managed[config.Registry]]{}, state.ErrNotFound
	if events.ValidName(name) {
		rec, err = c.State.Registries.Get(r.Context(), name)
	}
	if errors.Is(err, state.ErrNotFound) {
		c.message(w, http.StatusNotFound, "There is no such registry", "The list of registries has all that are configured.")
		return nil
	}
	if err != nil {
		return err
	}
	p := registryPage{registryRow: rowOf(rec)}
	if err := c.count(r, &p.registryRow); err != nil {
		return err
	}
	if setup, err := c.webhook(p.Registry); err != nil {
		p.Reason = err.Error()
	} else {
		p.Webhook = &setup
	}
	return c.render(w, http.StatusOK, "registry", page{Title: p.Name, Member: true, Here: r.URL.RequestURI(), Content: p})
}

func (c *Console) webhook(r config.Registry) (hook.Setup, error) {
	if c.WebhookURL == nil {
		return hook.Setup{}, errors.New("this service was not told where ingest is")
	}
	address, err := c.WebhookURL(r)
	if err != nil {
		return hook.Setup{}, err
	}
	return hook.NewSetup(r, address)
}
