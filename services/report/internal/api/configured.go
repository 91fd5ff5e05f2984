package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// configured serves one kind of configured objects.
type configured[T any] struct {
	what   string // registry, rule
	table  *state.Table[state.Managed[T]]
	point  failpoint.Point
	decode func([]byte) (T, error)
	name   func(T) string
	// check tells what else keeps an object from being stored or removed.
	check       func(r *http.Request, value T) error
	checkRemove func(r *http.Request, name string) error
	// beside loads what is shown beside the objects, and adds it to one; nil:
	// nothing is.
	beside func(ctx context.Context) (add func(rec state.Record[state.Managed[T]], shown map[string]any), err error)
	// confirmed tells what state.Managed.Confirmed becomes with a new value; nil:
	// it stays blank.
	confirmed func(ctx context.Context, before state.Managed[T], value T) (string, error)
}

func registries(a *API) configured[config.Registry] {
	return configured[config.Registry]{
		what: "registry", table: a.State.Registries, point: failpoint.ConfigRegistry, decode: config.DecodeRegistry,
		name:        func(r config.Registry) string { return r.Name },
		check:       checkPutRegistry,
		checkRemove: a.checkUnused,
		beside:      a.besideRegistry,
		confirmed:   a.confirmed,
	}
}

func rules(a *API) configured[config.Rule] {
	return configured[config.Rule]{
		what: "rule", table: a.State.Rules, point: failpoint.ConfigRule, decode: config.DecodeRule,
		name:        func(r config.Rule) string { return r.Name },
		check:       a.checkRegistry,
		checkRemove: func(*http.Request, string) error { return nil },
	}
}

// checkNoFiles keeps callers from pointing the services at their own files and
// environment variables: what a reference leads to would come back as part of
// the webhook's address, or be opened by a worker. Nor does the API say who may
// send webhooks: whoever may configure a registry could let in anybody.
func checkNoFiles(_ *http.Request, r config.Registry) error {
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"webhook.secret", r.Webhook.Secret != (config.SecretRef{})},
		{"webhook.previousSecret", r.Webhook.PreviousSecret != (config.SecretRef{})},
		{"webhook.nats", r.Webhook.NATS != nil},
		{"tls.ca", r.TLS.CA != ""},
		{"tls.cert", r.TLS.Cert != ""},
		{"tls.key", r.TLS.Key != ""},
	} {
		if f.set {
			return problem.New(http.StatusBadRequest, f.field+" names a file or a variable of the services and is not taken from the API",
				"define the registry in the services' configuration file (LANDWAITER_CONFIG); without webhook.secret one is made")
		}
	}
	if r.Webhook.Auth.Type != config.AnyAuth {
		return problem.New(http.StatusBadRequest, "webhook.auth says who may send webhooks and is not taken from the API",
			"define the registry in the services' configuration file (LANDWAITER_CONFIG)")
	}
	return nil
}

// checkRegistry keeps rules from naming a registry that is not there.
func (a *API) checkRegistry(r *http.Request, rule config.Rule) error {
	_, err := a.State.Registries.Get(r.Context(), rule.Registry)
	if errors.Is(err, state.ErrNotFound) {
		return problem.New(http.StatusBadRequest, "the rule names the registry "+rule.Registry+", which is not configured",
			"PUT /api/v1/registries/"+rule.Registry+" first")
	}
	return err
}

// checkUnused keeps a registry that a rule names.
func (a *API) checkUnused(r *http.Request, name string) error {
	var users []string
	err := a.State.Rules.All(r.Context(), ">", func(rec state.Record[state.Managed[config.Rule]]) error {
		if rec.Value.Value.Registry == name {
			users = append(users, rec.Key)
		}
		return nil
	})
	if err != nil || len(users) == 0 {
		return err
	}
	return problem.New(http.StatusConflict, "the registry is named by rules: "+strings.Join(users, ", "), "delete them first")
}

// shower shows objects, with who may change them.
func (c configured[T]) shower(ctx context.Context) (func(state.Record[state.Managed[T]]) (map[string]any, error), error) {
	add := func(state.Record[state.Managed[T]], map[string]any) {}
	if c.beside != nil {
		var err error
		if add, err = c.beside(ctx); err != nil {
			return nil, err
		}
	}
	return func(rec state.Record[state.Managed[T]]) (map[string]any, error) {
		raw, err := json.Marshal(rec.Value.Value)
		if err != nil {
			return nil, err
		}
		var out map[string]any
		if err := json.Unmarshal(raw, &out); err != nil {
			return nil, err
		}
		out["managedBy"] = "api"
		if rec.Value.ManagedBy != "" {
			out["managedBy"] = rec.Value.ManagedBy
		}
		add(rec, out)
		return out, nil
	}, nil
}

func (c configured[T]) list(w http.ResponseWriter, r *http.Request) error {
	records, err := c.table.List(r.Context(), ">")
	if err != nil {
		return err
	}
	slices.SortFunc(records, func(a, b state.Record[state.Managed[T]]) int { return compare(a.Key, b.Key) })
	show, err := c.shower(r.Context())
	if err != nil {
		return err
	}
	out := make([]map[string]any, 0, len(records))
	for _, rec := range records {
		shown, err := show(rec)
		if err != nil {
			return err
		}
		out = append(out, shown)
	}
	return write(w, http.StatusOK, out)
}

func (c configured[T]) record(r *http.Request) (state.Record[state.Managed[T]], error) {
	name := r.PathValue("name")
	if !events.ValidName(name) {
		return state.Record[state.Managed[T]]{}, problem.New(http.StatusNotFound, strconv.Quote(name)+" is not a name",
			"names are 1 to 63 lower-case letters, digits and inner dashes")
	}
	rec, err := c.table.Get(r.Context(), name)
	if errors.Is(err, state.ErrNotFound) {
		return rec, problem.New(http.StatusNotFound, "there is no "+c.what+" "+name, "GET /api/v1/"+plural(c.what)+" lists them")
	}
	return rec, err
}

func plural(what string) string {
	if what == "registry" {
		return "registries"
	}
	return what + "s"
}

func (c configured[T]) get(w http.ResponseWriter, r *http.Request) error {
	rec, err := c.record(r)
	if err != nil {
		return err
	}
	return c.answer(w, r, http.StatusOK, rec)
}

func (c configured[T]) answer(w http.ResponseWriter, r *http.Request, status int, rec state.Record[state.Managed[T]]) error {
	show, err := c.shower(r.Context())
	if err != nil {
		return err
	}
	shown, err := show(rec)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(rec.Revision))
	return write(w, status, shown)
}

func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// body reads the object. Its name may be left out, and what GET added may be
// sent back.
func (c configured[T]) body(r *http.Request) (T, error) {
	var zero T
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return zero, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return zero, problem.New(http.StatusBadRequest, "the body is not a JSON object", "")
	}
	delete(fields, "managedBy")
	delete(fields, "condition")
	delete(fields, "credentialState")
	if fields["name"] == nil {
		fields["name"] = json.RawMessage(strconv.Quote(r.PathValue("name")))
	}
	if raw, err = json.Marshal(fields); err != nil {
		return zero, err
	}
	value, err := c.decode(raw)
	if err != nil {
		p := problem.New(http.StatusBadRequest, "the "+c.what+" is not valid: "+err.Error(), "see schemas/config.json")
		for _, m := range config.Mistakes(err) {
			p.Errors = append(p.Errors, m.Pointed())
		}
		return zero, p
	}
	if c.name(value) != r.PathValue("name") {
		return zero, problem.New(http.StatusBadRequest, "the body names "+strconv.Quote(c.name(value))+", the address "+strconv.Quote(r.PathValue("name")), "")
	}
	return value, c.check(r, value)
}

// mayChange checks who manages the object and that it is the one the asker
// has seen.
func (c configured[T]) mayChange(r *http.Request, rec state.Record[state.Managed[T]]) error {
	if rec.Value.ManagedBy == state.ManagedByFile {
		return problem.New(http.StatusConflict, "the "+c.what+" is defined by the configuration file",
			"change it there, and run `landwaiter apply -f FILE` or start again")
	}
	return unseen(r, rec.Revision, c.what)
}

// unseen is an error where the object is not the one that the asker has seen,
// as If-Match says; 0 is the revision of one that is not there.
func unseen(r *http.Request, revision uint64, what string) error {
	if r.Header.Get("If-None-Match") == "*" && revision != 0 {
		return problem.New(http.StatusPreconditionFailed, "the "+what+" is there already", "read it, and repeat the change with If-Match")
	}
	match := r.Header.Get("If-Match")
	if gone := revision == 0; match != "" && (gone || (match != "*" && match != etag(revision))) {
		return problem.New(http.StatusPreconditionFailed, "the "+what+" is not what it was when you read it", "read it again and repeat the change")
	}
	return nil
}

func (c configured[T]) put(w http.ResponseWriter, r *http.Request) error {
	value, err := c.body(r)
	if err != nil {
		return err
	}
	status := http.StatusOK
	rec, err := c.table.Get(r.Context(), r.PathValue("name"))
	if errors.Is(err, state.ErrNotFound) {
		status = http.StatusCreated
		rec = state.Record[state.Managed[T]]{Key: r.PathValue("name")}
	} else if err != nil {
		return err
	}
	if err := c.mayChange(r, rec); err != nil {
		return err
	}
	changed := state.Managed[T]{Value: value}
	if c.confirmed != nil {
		if changed.Confirmed, err = c.confirmed(r.Context(), rec.Value, value); err != nil {
			return err
		}
	}
	rec.Value = changed
	if rec, err = c.table.Put(r.Context(), c.point, rec); err != nil {
		return err
	}
	return c.answer(w, r, status, rec)
}

func (c configured[T]) delete(w http.ResponseWriter, r *http.Request) error {
	rec, err := c.record(r)
	if err != nil {
		return err
	}
	if err := errors.Join(c.mayChange(r, rec), c.checkRemove(r, rec.Key)); err != nil {
		return err
	}
	if err := c.table.Delete(r.Context(), c.point, rec); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
