package console

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// ruleRow is a rule in the list.
type ruleRow struct {
	config.Rule

	ManagedBy string // blank: the API
}

// rulePage is the form of one rule. What it says is sent to the API, which
// checks it: the console knows nothing about rules that the API does not.
type rulePage struct {
	Name     string // blank: a new rule
	Revision string // the API's ETag of what is shown
	ReadOnly bool   // the configuration file says what it is
	Groups   []fieldGroup
}

func (c *Console) rules(w http.ResponseWriter, r *http.Request) error {
	var rows []ruleRow
	err := c.State.Rules.All(r.Context(), ">", func(rec state.Record[state.Managed[config.Rule]]) error {
		rows = append(rows, ruleRow{Rule: rec.Value.Value, ManagedBy: rec.Value.ManagedBy})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b ruleRow) int { return strings.Compare(a.Name, b.Name) })
	return c.render(w, http.StatusOK, "rules", page{Title: "Rules", Member: true, Content: rows})
}

func (c *Console) newRule(w http.ResponseWriter, r *http.Request) error {
	registries, err := c.registryNames(r)
	if err != nil {
		return err
	}
	p := rulePage{Groups: ruleFields(config.Rule{}, registries)}
	return c.render(w, http.StatusOK, "rule", page{Title: "New rule", Member: true, Content: p})
}

func (c *Console) rule(w http.ResponseWriter, r *http.Request) error {
	name, rec, err := r.PathValue("name"), state.Record[state.Managed[config.Rule]]{}, state.ErrNotFound
	if events.ValidName(name) {
		rec, err = c.State.Rules.Get(r.Context(), name)
	}
	if errors.Is(err, state.ErrNotFound) {
		c.message(w, http.StatusNotFound, "There is no such rule", "The list of rules has all that there are.")
		return nil
	}
	if err != nil {
		return err
	}
	registries, err := c.registryNames(r)
	if err != nil {
		return err
	}
	return c.render(w, http.StatusOK, "rule", page{Title: name, Member: true, Content: rulePage{
		Name: name, Revision: etag(rec.Revision),
		ReadOnly: rec.Value.ManagedBy == state.ManagedByFile,
		Groups:   ruleFields(rec.Value.Value, registries),
	}})
}

func (c *Console) registryNames(r *http.Request) ([]string, error) {
	var names []string
	err := c.State.Registries.All(r.Context(), ">", func(rec state.Record[state.Managed[config.Registry]]) error {
		names = append(names, rec.Key)
		return nil
	})
	slices.Sort(names)
	return names, err
}

// etag is a revision as the API writes it.
func etag(revision uint64) string { return strconv.Quote(strconv.FormatUint(revision, 10)) }
