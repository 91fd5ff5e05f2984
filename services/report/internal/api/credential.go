package api

import (
	"context"
	"net/http"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// checkPutRegistry is what a registry that comes by the API has to meet beside
// being valid.
func checkPutRegistry(r *http.Request, reg config.Registry) error {
	if err := checkNoFiles(r, reg); err != nil {
		return err
	}
	return checkCredential(reg)
}

// checkCredential keeps callers from having the services' credentials read on
// their way, by a proxy, a listener or a token server of their choice. Where the
// credential goes itself is for confirmed.
func checkCredential(reg config.Registry) error {
	if reg.Credential == "" {
		return nil
	}
	for field, set := range map[string]bool{
		"proxy": reg.Proxy != "", "tls.insecureSkipVerify": reg.TLS.InsecureSkipVerify, "tokenServers": len(reg.TokenServers) > 0,
	} {
		if set {
			return problem.New(http.StatusForbidden, field+" together with a credential is not taken from the API: the credential could be read on the way",
				"leave one of them out, or define the registry in the services' configuration file (LANDWAITER_CONFIG)")
		}
	}
	return nil
}

// confirmed is where the credential of a registry that is put may be sent:
// where an admin has confirmed it, or where the configuration file, whose author
// knows the secrets, sends it. Anything else takes the confirmation away: who
// changes an address must not get the credential sent there by that.
func (a *API) confirmed(ctx context.Context, before state.Managed[config.Registry], reg config.Registry) (string, error) {
	to := reg.Destination()
	if to == "" || before.Confirmed == to {
		return to, nil
	}
	sent := false
	err := a.State.Registries.All(ctx, ">", func(rec state.Record[state.Managed[config.Registry]]) error {
		of := rec.Value.Value
		sent = sent || rec.Value.ManagedBy == state.ManagedByFile && of.Credential == reg.Credential &&
			of.Host() == reg.Host() && (of.PlainHTTP() || !reg.PlainHTTP())
		return nil
	})
	if err != nil || !sent {
		return "", err
	}
	return to, nil
}

// confirmRegistry lets a registry's credential go where the registry leads now.
// If-Match keeps that from being another place than the admin has looked at.
func (a *API) confirmRegistry(w http.ResponseWriter, r *http.Request) error {
	c := registries(a)
	rec, err := c.record(r)
	if err != nil {
		return err
	}
	if err := unseen(r, rec.Revision, c.what); err != nil {
		return err
	}
	if rec.Value.Value.Credential == "" {
		return problem.New(http.StatusConflict, "the registry names no credential", "there is nothing to confirm")
	}
	if state.Held(rec.Value) {
		rec.Value.Confirmed = rec.Value.Value.Destination()
		if rec, err = c.table.Put(r.Context(), c.point, rec); err != nil {
			return err
		}
	}
	return c.answer(w, r, http.StatusOK, rec)
}

// credentialState is what the API says of a registry's credential; blank: it
// has none.
func credentialState(r state.Managed[config.Registry]) string {
	switch {
	case r.Value.Credential == "":
		return ""
	case state.Held(r):
		return "unconfirmed"
	default:
		return "confirmed"
	}
}
