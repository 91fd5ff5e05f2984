package api

import (
	"net/http"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// checkPutRegistry is what a registry that comes by the API has to meet beside
// being valid.
func (a *API) checkPutRegistry(r *http.Request, reg config.Registry) error {
	if err := checkNoFiles(r, reg); err != nil {
		return err
	}
	return a.checkCredential(r, reg)
}

// checkCredential keeps callers from sending the services' credentials to an
// address, a proxy or a listener on the way of their choice: a credential goes
// only where the configuration file, whose author knows the secrets, sends it.
func (a *API) checkCredential(r *http.Request, reg config.Registry) error {
	if reg.Credential == "" {
		return nil
	}
	const remedy = "define the registry in the services' configuration file (LANDWAITER_CONFIG)"
	for field, set := range map[string]bool{"proxy": reg.Proxy != "", "tls.insecureSkipVerify": reg.TLS.InsecureSkipVerify} {
		if set {
			return problem.New(http.StatusForbidden, field+" together with a credential is not taken from the API: the credential could be read on the way",
				"leave one of them out, or "+remedy)
		}
	}
	sent := false
	err := a.State.Registries.All(r.Context(), ">", func(rec state.Record[state.Managed[config.Registry]]) error {
		of := rec.Value.Value
		sent = sent || rec.Value.ManagedBy == state.ManagedByFile && of.Credential == reg.Credential &&
			of.Host() == reg.Host() && (of.PlainHTTP() || !reg.PlainHTTP())
		return nil
	})
	if err != nil || sent {
		return err
	}
	return problem.New(http.StatusForbidden, "the credential "+reg.Credential+" is not used for "+reg.Host()+
		" by any registry of the configuration file, and the API sends it nowhere else", "leave credential out, or "+remedy)
}
