package api

import (
	"net/http"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

// ledgerJSON is a trust group's account as the API shows it.
type ledgerJSON struct {
	state.Ledger

	BytesSaved int64 `json:"bytesSaved"`
}

// showLedger tells what sharing layers and knowing images saved.
func (a *API) showLedger(w http.ResponseWriter, r *http.Request) error {
	accounts := []ledgerJSON{}
	err := a.State.Ledger.All(r.Context(), ">", func(rec state.Record[state.Ledger]) error {
		l := rec.Value
		accounts = append(accounts, ledgerJSON{Ledger: l, BytesSaved: max(0, l.BytesNeeded-l.BytesRead)})
		return nil
	})
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, map[string]any{"ledger": accounts})
}
