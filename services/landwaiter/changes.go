package landwaiter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

// changes are the objects that are to be put, and what they were when they were
// read: each is replaced only if it is that still.
type changes struct {
	client *client.Client
	force  bool // whatever it is by now
	all    []change
}

type change struct {
	kind, name string
	value      any
	before     map[string]any // nil: it was not there
	version    string
}

func (c change) path() string { return "/" + plural(c.kind) + "/" + url.PathEscape(c.name) }

// read notes a change, and what it changes.
func (c *changes) read(ctx context.Context, kind, name string, value any) error {
	one := change{kind: kind, name: name, value: value}
	version, status, err := c.client.Versioned(ctx, client.Question{Path: one.path()}, &one.before)
	if err != nil && status != http.StatusNotFound {
		return fmt.Errorf("%s %s: %w", kind, name, err)
	}
	one.version = version
	c.all = append(c.all, one)
	return nil
}

// put makes the changes. One that fails does not keep the others from being
// made.
func (c *changes) put(ctx context.Context, env Env) error {
	var errs []error
	for _, one := range c.all {
		if err := c.one(ctx, env, one); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", one.kind, one.name, err))
		}
	}
	return errors.Join(errs...)
}

func (c *changes) one(ctx context.Context, env Env, one change) error {
	q := client.Question{Method: http.MethodPut, Path: one.path(), Body: one.value}
	switch {
	case c.force:
	case one.before == nil:
		q.Header = http.Header{"If-None-Match": {"*"}}
	default:
		q.Header = http.Header{"If-Match": {one.version}}
	}
	var after registryObject
	status, err := c.client.Ask(ctx, q, &after)
	if status == http.StatusPreconditionFailed && !c.force {
		return c.conflict(ctx, one)
	}
	if err != nil {
		return err
	}
	done := "replaced"
	if status == http.StatusCreated {
		done = "created"
	}
	if _, err := fmt.Fprintf(env.Stdout, "%s %s %s\n", one.kind, one.name, done); err != nil {
		return err
	}
	if after.CredentialState == unconfirmed {
		env.warn("%s is not read yet: its credential %s was not sent to %s before: if that is meant, `landwaiter registries confirm %s`",
			one.name, after.Credential, after.where(), one.name)
	}
	return nil
}

// conflict tells what somebody else made of the object since it was read.
func (c *changes) conflict(ctx context.Context, one change) error {
	var now map[string]any
	status, err := c.client.Ask(ctx, client.Question{Path: one.path()}, &now)
	var what string
	switch {
	case status == http.StatusNotFound:
		what = "somebody deleted it meanwhile"
	case err != nil:
		return err
	case one.before == nil:
		what = "somebody created it meanwhile"
	default:
		what = "somebody changed it meanwhile: " + strings.Join(differences(one.before, now), ", ")
	}
	return errors.New(what + "; it is left as it is: look at it with `landwaiter get " + one.kind + " " + one.name +
		"`, and apply again, or with --force to replace it whatever it is")
}

// differences are the fields in which two versions of an object differ.
func differences(before, now map[string]any) []string {
	all := maps.Clone(before)
	maps.Copy(all, now)
	var out []string
	for _, field := range slices.Sorted(maps.Keys(all)) {
		was, is := shown(before[field]), shown(now[field])
		if was != is && field != "condition" {
			out = append(out, fmt.Sprintf("%s was %s and is %s", field, was, is))
		}
	}
	if len(out) == 0 {
		return []string{"it was written anew, as it was"}
	}
	return out
}

func shown(v any) string {
	if v == nil {
		return "not set"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
